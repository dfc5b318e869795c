// Draws the board as the server sends it, and comes back by itself when the connection is lost. Text of plans and models
// only ever becomes text: elements are made here and by nobody else. Rows that did not change are left alone.
"use strict";
(() => {
  const DEAD_MS = 15000; // three beats of the server
  const AGAIN_MS = 1000;
  const id = (name) => document.getElementById(name);
  let marks = {};
  let last = 0;
  let source = null;
  let announced = null;

  const make = (tag, text = "", style = "") => {
    const element = document.createElement(tag);
    if (style) element.className = style;
    element.textContent = text;
    return element;
  };
  const words = (state) => ({ needs_human: "needs a person", active: "at work", none: "no check" })[state] ?? state;
  const chip = (state, text = words(state)) => {
    const [symbol, style] = marks[state] ?? ["", ""];
    const element = make("span", "", `chip ${style}`);
    if (symbol) {
      const mark = make("span", symbol);
      mark.setAttribute("aria-hidden", "true");
      element.append(mark, " ");
    }
    element.append(text);
    return element;
  };

  const duration = (seconds) => {
    const whole = Math.max(0, Math.round(seconds));
    const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
    if (hours) return `${hours} h ${minutes} min`;
    return minutes ? `${minutes} min ${rest} s` : `${rest} s`;
  };
  const about = (seconds) => {
    if (seconds < 60) return "a minute";
    return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
  };
  const count = (number) => Math.round(number).toLocaleString("en").replaceAll(",", "\u202f");
  const clock = (at) => new Date(at * 1000).toLocaleTimeString("en-GB");
  const since = (at) => {
    const element = make("time", duration(Date.now() / 1000 - at));
    element.dataset.since = at;
    return element;
  };
  const joined = (parts, between = " · ") =>
    parts.filter((part) => part).flatMap((part, at) => (at ? [between, part] : [part]));

  // One element for each item, by its key; drawn again only when the item is another one.
  const list = (parent, items, key, tag, draw) => {
    const known = new Map([...parent.children].map((child) => [child.dataset.key, child]));
    items.forEach((item, at) => {
      const name = String(key(item));
      const text = JSON.stringify(item);
      const element = known.get(name) ?? document.createElement(tag);
      known.delete(name);
      if (element.dataset.key === undefined || element.item !== text) {
        element.dataset.key = name;
        element.item = text;
        draw(element, item);
      }
      if (parent.children[at] !== element) parent.insertBefore(element, parent.children[at] ?? null);
    });
    known.forEach((child) => child.remove());
  };
  const row = (element, what, figures, why) => {
    element.replaceChildren();
    const left = make("span", "", "what");
    left.append(...what);
    element.append(left);
    if (figures.length) {
      const right = make("span", "", "figures");
      right.append(...joined(figures));
      element.append(right);
    }
    if (why) element.append(make("span", why, "why"));
  };
  const whose = (item) => (item.task === null ? item.plan : `#${item.task} ${item.title}`);

  const drawPhase = (element, item) => row(
    element,
    [chip("running", item.phase), " ", whose(item)],
    [
      item.started_at !== null && since(item.started_at),
      item.rate !== null && `${Math.round(item.rate)} tok/s`,
      item.reads && "reads the prompt",
      (item.prompt || item.completion) && `${count(item.prompt)} in, ${count(item.completion)} out`,
      item.attempt > 1 && `attempt ${item.attempt}`,
    ],
    joined([item.model, item.task === null ? "" : item.plan]).join(""),
  );
  const drawWait = (element, item) => row(
    element,
    [chip("wait", item.phase), " ", whose(item)],
    [item.until !== null && `again at ${clock(item.until)}`],
    item.reason,
  );
  const drawNeed = (element, item) => row(element, [chip(item.state, item.word), " ", item.text], [], "");

  const drawTask = (element, task) => {
    element.replaceChildren(chip(task.state), ` #${task.id} ${task.title} `);
    if (task.proof) element.append(chip(task.proof), " ");
    if (task.commit) element.append(make("code", task.commit.slice(0, 10)));
    if (task.reason) element.append(make("span", task.reason, "why"));
  };
  const drawPlan = (element, plan) => {
    if (!element.details) {
      element.className = "plan";
      element.head = document.createElement("div");
      element.details = document.createElement("details");
      element.tasks = make("ul", "", "tasks");
      element.summary = document.createElement("summary");
      element.details.append(element.summary, element.tasks);
      element.details.open = !plan.over;
      element.append(element.head, element.details);
    }
    const title = document.createElement("h3");
    title.append(chip(plan.state), " ", plan.name);
    if (plan.paused) title.append(" ", chip("paused"));
    const bar = document.createElement("progress");
    bar.max = Math.max(1, plan.total);
    bar.value = plan.completed;
    bar.setAttribute("aria-label", `${plan.name}: tasks completed`);
    const counts = make("p", "", "counts");
    counts.append(...joined([
      plan.total ? `${plan.completed} of ${plan.total} tasks completed` : "not planned yet",
      plan.parked && `${plan.parked} failed, parked or cancelled`,
      plan.left_s !== null && `about ${about(plan.left_s)} left`,
    ]));
    element.head.replaceChildren(title, bar, counts);
    if (plan.reason) element.head.append(make("p", plan.reason, "reason"));
    const more = plan.total - plan.tasks.length;
    element.summary.textContent = `tasks of ${plan.name}${more > 0 ? ` (${more} more: lao status)` : ""}`;
    element.details.hidden = !plan.tasks.length;
    list(element.tasks, plan.tasks, (task) => task.id, "li", drawTask);
  };

  const told = {
    phase: (item) => `${item.phase} of ${whose(item)}`,
    task: (item) => `#${item.task} ${item.title}`,
    plan: (item) => `plan ${item.plan}`,
    taken: (item) => `plan ${item.plan} taken in`,
    load: (item) => `${item.model} loaded`,
    pause: (item) => (item.plan ? `plan ${item.plan}` : "everything"),
  };
  const drawRecent = (element, item) => row(
    element,
    [chip(item.state), " ", (told[item.kind] ?? (() => item.kind))(item)],
    [
      item.seconds !== null && duration(item.seconds),
      item.tokens && `${count(item.tokens)} tokens`,
      item.commit && make("code", item.commit.slice(0, 10)),
      clock(item.at),
    ],
    item.text,
  );

  const needs = (board) => [
    ...(board.error ? [{ state: "fail", word: "state", text: `${board.error}${board.hint ? ` (${board.hint})` : ""}` }] : []),
    ...(board.questions ? [{ state: "needs_human", word: "questions", text: `${board.questions} wait for you: lao approvals` }] : []),
    ...(board.paused !== null && !board.error ? [{ state: "paused", word: "paused", text: `since ${clock(board.paused)}: lao resume goes on` }] : []),
    ...(board.gate ? [{ state: "wait", word: "memory gate", text: board.gate }] : []),
    ...(board.error || board.workers.length || board.idle ? [] : [{ state: "warn", word: "no workers", text: "there is work and nobody does it: lao run" }]),
  ];
  const figures = (board) => [
    ["model", board.model || "none loaded"],
    ["speed", board.rate === null ? "no call in flight" : `${Math.round(board.rate)} tok/s`],
    ["workers", board.workers.map((worker) => worker.queue).join(", ") || "none"],
    ["queue", Object.entries(board.queue).map(([name, number]) => `${name} ${number}`).join(", ")],
    ["tokens", `${count(board.totals.prompt)} in, ${count(board.totals.completion)} out`],
    ["calls", `${board.totals.calls}, ${board.totals.swaps} swaps, ${board.totals.faults} faults`],
  ];
  const drawFigure = (element, [name, value]) => element.replaceChildren(make("dt", name), make("dd", value));

  const empty = (name, items) => { id(name).hidden = items.length > 0; };
  const announce = (recent) => {
    const over = recent.filter((item) => item.kind === "task" || item.kind === "plan");
    if (announced !== null && over.length && over[0].at > announced) {
      id("said").textContent = `${told[over[0].kind](over[0])}: ${words(over[0].state)}`;
    }
    announced = over.length ? over[0].at : announced ?? 0;
  };

  const draw = (board) => {
    marks = board.marks ?? marks;
    const wanted = needs(board);
    id("needs").hidden = !wanted.length;
    list(id("needs-list"), wanted, (item) => item.word, "li", drawNeed);
    document.documentElement.dataset.state = board.error ? "error" : "board";
    if (board.error) return;
    id("project").textContent = board.project;
    const state = board.paused !== null ? "paused" : board.idle ? "idle" : "running";
    id("state").replaceChildren(chip(state, state === "running" ? "at work" : state));
    const [done, total] = [0, 1].map((at) => board.plans.filter((plan) => !plan.over)
      .reduce((sum, plan) => sum + [plan.completed, plan.total][at], 0));
    document.title = `${total ? `${done}/${total} · ` : ""}${board.project} · LAO`;
    list(id("figures"), figures(board), ([name]) => name, "div", drawFigure);
    list(id("work"), board.phases, (item) => item.run, "li", drawPhase);
    list(id("waits"), board.waits, (item) => item.run, "li", drawWait);
    list(id("plans"), board.plans, (plan) => plan.id, "article", drawPlan);
    list(id("recent"), board.recent, (item) => JSON.stringify([item.at, item.kind, item.run, item.text, item.task, item.phase, item.plan, item.state]), "li", drawRecent);
    id("waiting").hidden = !board.waits.length;
    empty("no-work", board.phases);
    empty("no-plans", board.plans);
    empty("no-recent", board.recent);
    announce(board.recent);
  };

  const link = (state, text) => {
    const [symbol, style] = { live: ["●", "good"], lost: ["✗", "bad"] }[state];
    id("link").className = `chip ${style}`;
    if (id("link").textContent !== `${symbol} ${text}`) id("link").textContent = `${symbol} ${text}`;
    document.documentElement.dataset.link = state;
  };
  const connect = () => {
    source?.close();
    source = new EventSource("events");
    last = Date.now();
    const heard = () => { last = Date.now(); link("live", "live"); };
    source.addEventListener("board", (event) => { heard(); draw(JSON.parse(event.data)); });
    source.addEventListener("beat", heard);
    source.addEventListener("error", () => link("lost", "no connection: is 'lao dashboard --serve' running?"));
  };
  setInterval(() => { // the browser tries again by itself, but not after an answer that was no stream
    const closed = source.readyState === EventSource.CLOSED;
    if (closed || Date.now() - last > DEAD_MS) {
      if (!closed) link("lost", "no connection");
      connect();
    }
  }, AGAIN_MS * 2);
  setInterval(() => {
    for (const time of document.querySelectorAll("[data-since]")) {
      time.textContent = duration(Date.now() / 1000 - Number(time.dataset.since));
    }
  }, 1000);
  connect();
})();
