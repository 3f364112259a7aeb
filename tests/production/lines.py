"""Two ends of a line that tests hold: one that listens to what a proxy sends on, one that cuts a download."""

from __future__ import annotations

import socket
import threading


class Echo:
    """A server that answers 204 and keeps the head of every request."""

    def __enter__(self) -> tuple[int, list[str]]:
        self.seen: list[str] = []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()
        return self.server.getsockname()[1], self.seen

    def __exit__(self, *unused: object) -> None:
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()
        self.thread.join()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self.server.accept()
            except OSError:
                return
            with line:
                self.seen.append(line.recv(65536).decode())
                line.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")


class Cutter:
    """A line to a port that breaks once, so many bytes into the first file's answer. Keeps the heads of requests."""

    def __init__(self, target: int, after: int) -> None:
        self.target, self.after = target, after
        self.heads: list[str] = []
        self.cut = False

    def __enter__(self) -> Cutter:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.server.getsockname()[1]
        self.threads = [threading.Thread(target=self._accept, daemon=True)]
        self.threads[0].start()
        return self

    def __exit__(self, *unused: object) -> None:
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()
        for thread in self.threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                line, _ = self.server.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._carry, args=(line,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _carry(self, line: socket.socket) -> None:
        """One request and its answer; what the agent keeps open longer is closed with the answer's end."""
        with line, socket.create_connection(("127.0.0.1", self.target)) as onward:
            for each in (line, onward):
                each.settimeout(20)
            head = line.recv(65536)
            text = head.decode(errors="replace")
            self.heads.append(text)
            cut_here = "/files/" in text and not self.cut
            # By the name that agents in Docker use, which is among SPINDLE_ALLOWED_HOSTS.
            head = head.replace(f"127.0.0.1:{self.port}".encode(), b"nginx:8081")
            onward.sendall(head.replace(b"HTTP/1.1\r\n", b"HTTP/1.1\r\nConnection: close\r\n", 1))
            threading.Thread(target=_pump, args=(line, onward), daemon=True).start()
            sent = 0
            while data := onward.recv(65536):
                if cut_here and sent + len(data) > self.after:
                    self.cut = True
                    line.sendall(data[: self.after - sent])
                    return
                line.sendall(data)
                sent += len(data)


def _pump(source: socket.socket, target: socket.socket) -> None:
    """The rest of a request, until either side is closed."""
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        return
