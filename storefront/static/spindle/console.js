// The copy console: sends files (tus), tells of copies that ended, and shows a new image among the choices.
(function () {
  "use strict";

  /** For those who don't see the page change. */
  function say(text) {
    document.getElementById("told").textContent = text;
  }

  // --- Notifications --------------------------------------------------------------------------------
  const LOOK_SECONDS = 10;
  const TOLD = "copies-told"; // what this browser has notified of

  async function lookForEnds(address) {
    let ended;
    try {
      const answer = await fetch(address, { headers: { Accept: "application/json" }, redirect: "error" });
      if (!answer.ok) return;
      ended = (await answer.json()).ended;
    } catch {
      return; // the server is away: asked again later
    }
    const told = new Set(JSON.parse(localStorage.getItem(TOLD) ?? "[]"));
    for (const copy of ended) {
      if (told.has(copy.id)) continue;
      const shown = new Notification(`${copy.title}: ${copy.said}`, { body: copy.why, tag: copy.id });
      shown.addEventListener("click", function () {
        window.focus();
        location.href = copy.url;
      });
    }
    // What was confirmed is forgotten here, too.
    localStorage.setItem(TOLD, JSON.stringify(ended.map((copy) => copy.id)));
  }

  function setUpNotifications() {
    const button = document.querySelector("[data-notify]");
    if (!button || !("Notification" in window)) return;
    const address = button.dataset.notify;
    // Also while nobody looks at the page: that is what they are for. Browsers slow a hidden page's clock by themselves.
    const begin = () => setInterval(() => lookForEnds(address), LOOK_SECONDS * 1000);
    if (Notification.permission === "granted") {
      lookForEnds(address);
      begin();
    } else if (Notification.permission === "default") {
      button.hidden = false;
      button.addEventListener("click", async function () {
        const answer = await Notification.requestPermission();
        button.hidden = answer !== "default";
        if (answer === "granted") begin();
      });
    }
  }

  // --- Sending --------------------------------------------------------------------------------------
  const PIECE = 32 * 1024 * 1024; // bytes of one request; the proxy takes up to 64 MiB
  const AT_ONCE = 3; // files; small ones wait for their answers, not for the line
  const PAUSES = [0, 1000, 3000, 5000, ...Array(30).fill(10000)]; // milliseconds; five minutes without a line

  class Sender {
    constructor(form) {
      this.form = form;
      this.token = form.querySelector("[name=csrfmiddlewaretoken]").value;
      this.problem = form.querySelector("[data-problem]");
      this.list = form.querySelector("[data-sending]");
      this.busy = 0;
      window.addEventListener("beforeunload", (event) => {
        if (this.busy) event.preventDefault();
      });
    }

    /** files: [{path, file}]; name: what the disc is called. */
    async send(name, files) {
      this.problem.textContent = "";
      const said = files.map(({ path, file }) => ({ path, size: file.size, modified: file.lastModified }));
      let answer;
      try {
        answer = await fetch(this.form.dataset.send, {
          method: "POST",
          headers: { "Content-Type": "application/json", "X-CSRFToken": this.token },
          body: JSON.stringify({ name, files: said }),
        });
      } catch {
        return this.complain(`${name} was not sent: the server can't be reached. Try again.`);
      }
      if (answer.status === 422) return this.complain(`${name} was not taken. ${(await answer.json()).text}`);
      if (!answer.ok || answer.redirected) return this.complain("Log in again, then choose the same files.");
      const places = new Map((await answer.json()).files.map((place) => [place.path, place]));
      await this.sendAll(name, files.map((each) => ({ ...each, ...places.get(each.path) })));
    }

    async sendAll(name, files) {
      const row = new Row(this.list, name, files);
      const waiting = files.filter((each) => each.offset < each.file.size);
      this.busy += 1;
      try {
        const next = async () => {
          for (let each = waiting.shift(); each && !row.stopped; each = waiting.shift()) await this.sendOne(each, row);
        };
        await Promise.all(Array.from({ length: AT_ONCE }, next));
        if (row.stopped) this.complain(`${name} is not whole. Choose the same files again to go on.`);
        else say(`${name} is sent. It is made into an image now.`);
      } catch (error) {
        row.stop();
        this.complain(`${name} is not whole: ${reasonOf(error)} Choose the same files again to go on.`);
      } finally {
        this.busy -= 1;
        row.remove();
        htmx.trigger("#sent", "look");
      }
    }

    sendOne(each, row) {
      return new Promise((resolve, reject) => {
        const upload = new tus.Upload(each.file, {
          uploadUrl: each.url,
          chunkSize: PIECE,
          retryDelays: PAUSES,
          storeFingerprintForResuming: false, // the server knows how far it is
          headers: { "X-CSRFToken": this.token },
          onProgress: (sent) => row.show(each, sent),
          onSuccess: () => {
            row.show(each, each.file.size);
            resolve();
          },
          onError: reject,
        });
        row.onStop(() => {
          upload.abort();
          resolve();
        });
        upload.start();
      });
    }

    complain(text) {
      this.problem.textContent = text;
    }
  }

  /** One upload of this browser, while it is sent. */
  class Row {
    constructor(list, name, files) {
      this.total = files.reduce((sum, each) => sum + each.file.size, 0);
      this.sent = new Map(files.map((each) => [each.path, each.offset]));
      this.stopped = false;
      this.stops = [];
      this.item = document.createElement("li");
      const title = document.createElement("strong");
      title.textContent = name;
      this.words = document.createElement("p");
      this.words.className = "quiet";
      this.bar = document.createElement("progress");
      this.bar.max = this.total;
      this.bar.setAttribute("aria-label", `${name}, sent`);
      const button = document.createElement("button");
      button.type = "button";
      button.className = "outline";
      button.textContent = "Stop";
      button.addEventListener("click", () => this.stop());
      const verbs = document.createElement("p");
      verbs.className = "verbs";
      verbs.append(button);
      this.item.append(title, this.words, this.bar, verbs);
      list.append(this.item);
      this.draw();
    }

    show(each, sent) {
      this.sent.set(each.path, sent);
      this.draw();
    }

    draw() {
      const sent = [...this.sent.values()].reduce((sum, bytes) => sum + bytes, 0);
      this.bar.value = sent;
      this.words.textContent = `Sending: ${Math.floor((100 * sent) / Math.max(1, this.total))} % of ${sizeOf(this.total)}`;
    }

    onStop(action) {
      this.stops.push(action);
    }

    stop() {
      this.stopped = true;
      this.stops.forEach((action) => action());
    }

    remove() {
      this.item.remove();
    }
  }

  function reasonOf(error) {
    const body = error.originalResponse?.getBody();
    return body ? body.trim() : "the connection is lost.";
  }

  function sizeOf(bytes) {
    const units = ["kB", "MB", "GB"];
    let value = bytes / 1000;
    while (value >= 1000 && units.length > 1) {
      value /= 1000;
      units.shift();
    }
    return `${value.toFixed(1)} ${units[0]}`;
  }

  /** A chosen folder's own name is the disc's, and is no part of its files' paths. */
  function asDisc(files) {
    const tops = new Set(files.map(({ path }) => path.split("/")[0]));
    if (tops.size === 1 && files.every(({ path }) => path.includes("/"))) {
      const [top] = tops;
      return [top, files.map(({ path, file }) => ({ path: path.slice(top.length + 1), file }))];
    }
    return [files.length === 1 ? files[0].path : `${files.length} files`, files];
  }

  async function dropped(transfer) {
    const found = [];
    const walk = async (entry, before) => {
      const path = before + entry.name;
      if (entry.isFile) {
        found.push({ path, file: await new Promise((resolve, reject) => entry.file(resolve, reject)) });
        return;
      }
      const reader = entry.createReader();
      for (;;) {
        const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
        if (!some.length) break; // it gives a hundred at a time
        for (const each of some) await walk(each, `${path}/`);
      }
    };
    for (const entry of [...transfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean)) await walk(entry, "");
    return found;
  }

  function setUpSending() {
    const form = document.querySelector("[data-send]");
    if (!form) return;
    const sender = new Sender(form);
    const drop = form.querySelector("[data-with-script]");
    drop.hidden = false;
    form.querySelector("#file").required = false;
    const send = (files) => files.length && sender.send(...asDisc(files));
    for (const button of form.querySelectorAll("[data-choose]")) {
      const input = form.querySelector(`[data-chosen=${button.dataset.choose}]`);
      if (button.dataset.choose === "folder") input.webkitdirectory = true;
      button.addEventListener("click", () => input.click());
      input.addEventListener("change", function () {
        send([...input.files].map((file) => ({ path: file.webkitRelativePath || file.name, file })));
        input.value = "";
      });
    }
    drop.addEventListener("dragover", function (event) {
      event.preventDefault();
      drop.classList.add("over");
    });
    drop.addEventListener("dragleave", () => drop.classList.remove("over"));
    drop.addEventListener("drop", async function (event) {
      event.preventDefault();
      drop.classList.remove("over");
      send(await dropped(event.dataTransfer));
    });
  }

  // --- A new image among the choices ----------------------------------------------------------------
  let coming = new Set(); // uploads that are not images yet

  function lookForImages() {
    const now = new Set([...document.querySelectorAll("#sent [data-upload]")].map((item) => item.dataset.upload));
    const gone = [...coming].some((upload) => !now.has(upload));
    coming = now;
    if (!gone) return;
    say("There is a new image to choose.");
    htmx.ajax("GET", location.href, { target: "#from-uploads", select: "#from-uploads", swap: "outerHTML" });
  }

  document.addEventListener("htmx:afterSwap", function (event) {
    if (event.target.id === "sent") lookForImages();
  });

  document.addEventListener("DOMContentLoaded", function () {
    setUpNotifications();
    setUpSending();
    lookForImages();
  });
})();
