# One file for all roles. `app`: web, workers, beat, agent, commands. `nginx`: the same release's static files, behind TLS.
# Base images are pinned by tag; docs/deploy.md says how to pin what was pulled by digest as well.

FROM python:3.11.13-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
COPY requirements.txt /tmp/requirements.txt
# Wheels only: nothing is compiled, so no compiler is here that could be left in.
RUN /opt/venv/bin/pip install --require-hashes --only-binary=:all: --requirement /tmp/requirements.txt \
    && /opt/venv/bin/pip uninstall --yes pip setuptools
WORKDIR /srv/spindle
COPY manage.py gunicorn.conf.py ./
COPY archive ./archive
COPY devices ./devices
COPY fulfillment ./fulfillment
COPY storefront ./storefront
COPY templates ./templates
COPY deploy/healthcheck.py ./deploy/healthcheck.py
ENV PATH=/opt/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1
# Production's settings, with keys that hold for this one command and sign nothing.
RUN SPINDLE_PRODUCTION=true SPINDLE_DATA=/tmp/data SPINDLE_STATIC=/srv/static \
    SPINDLE_SECRET_KEY="$(head -c 32 /dev/urandom | base64)" SPINDLE_WRITER_KEY="$(head -c 32 /dev/urandom | base64)" \
    python manage.py collectstatic --noinput \
    && python -m compileall -q -j 0 archive devices fulfillment storefront

FROM debian:12.11-slim AS nginx
RUN apt-get update \
    && apt-get install --yes --no-install-recommends nginx-light \
    && rm -rf /var/lib/apt/lists/*
COPY deploy/nginx/ /etc/nginx/spindle/
COPY --from=build /srv/static /srv/static
USER www-data
EXPOSE 8080 8443 8081
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=15s --timeout=5s --start-period=5s \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET /nginx-health HTTP/1.0\\r\\n\\r\\n' >&3 && grep -q well <&3"]
CMD ["nginx", "-e", "stderr", "-c", "/etc/nginx/spindle/nginx.conf", "-g", "daemon off;"]

FROM python:3.11.13-slim-bookworm AS app
# What the papers (Pango, fonts), the agent (xorriso) and backups (pg_dump of the same major version) need.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        xorriso libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-dejavu-core fonts-wqy-microhei \
        postgresql-client-15 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 spindle \
    && useradd --uid 10001 --gid spindle --no-create-home --home-dir /tmp --shell /usr/sbin/nologin spindle \
    && install -d -o spindle -g spindle -m 0755 /data /data/images /backups \
    && install -d -o spindle -g spindle -m 0700 /agent
COPY --from=build /opt/venv /opt/venv
COPY --from=build /srv /srv
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    XDG_CACHE_HOME=/tmp/cache \
    SPINDLE_DATA=/data SPINDLE_STATIC=/srv/static
WORKDIR /srv/spindle
USER spindle
EXPOSE 8000 9101
HEALTHCHECK --interval=15s --timeout=10s --start-period=30s CMD ["python", "deploy/healthcheck.py", "web"]
CMD ["gunicorn", "storefront.wsgi", "--bind", "0.0.0.0:8000", "--workers", "3", "--threads", "4", "--worker-tmp-dir", "/dev/shm"]
