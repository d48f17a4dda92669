// One question of a kind is under way; the newest waits, and those between are never sent.

let last = 0;
const page = Math.random().toString(36).slice(2); // tells the questions of several tabs apart

export async function send(path, body) {
  const reply = await fetch(path, {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body),
  });
  let answer = {};
  try { answer = await reply.json(); } catch { /* a page that is no JSON: told by its status */ }
  return { status: reply.status, answer };
}

export async function get(path) {
  const reply = await fetch(path);
  if (!reply.ok) throw new Error(`${path}: ${reply.status}`);
  return reply.json();
}

const pause = (ms) => new Promise((go) => setTimeout(go, ms));

// `heard(answer, question)` and `refused(message, status, question)` are called in the
// order of asking. A question that was displaced (409) is asked again, and so is one that met
// no server.
export class Asker {
  constructor(kind, heard, refused) {
    Object.assign(this, { kind, heard, refused, next: null, busy: false, sent: 0, flying: 0, most: 0, since: null });
  }

  ask(question) {
    this.next = question;
    if (!this.busy) this.#work();
  }

  async #work() {
    this.busy = true;
    while (this.next) {
      const question = this.next, id = ++last;
      this.next = null;
      this.sent += 1;
      this.since = performance.now();
      let status = 0, answer = {};
      this.most = Math.max(this.most, ++this.flying);
      try {
        ({ status, answer } = await send(`/api/${this.kind}`, { ...question.body, id, page }));
      } catch { /* no server: status stays 0 */ }
      this.flying -= 1;
      if (status === 200) {
        if (answer.id === undefined || answer.id === id) this.heard(answer, question);
      } else if (status === 409 || status === 0) {
        if (status === 0) this.refused("The explorer's server does not answer; is its command still running?", 0, question);
        await pause(status === 0 ? 2000 : 150);
        this.next ??= question;
      } else this.refused(answer.error ?? `${this.kind}: the server answered ${status}.`, status, question);
    }
    this.busy = false;
    this.since = null;
  }
}

// Tell what is compiled, until all is; `told({ready, failed})`.
export async function watchReady(told, wanted) {
  for (;;) {
    let all = { ready: [], failed: {} };
    try { all = await get("/api/ready"); told(all); } catch { told(null); }
    const known = [...all.ready, ...Object.keys(all.failed)];
    if (wanted.every((name) => known.includes(name))) return;
    await pause(1000);
  }
}
