// A browser for tests and pictures: one request a line on stdin, one answer a line on stdout. Every request of a page for
// another host than those allowed is refused and told; so are console errors and what a page throws.
"use strict";
const { chromium } = require(require.resolve("playwright-core", { paths: [process.env.LAO_NODE_MODULES] }));
const axe = require.resolve("axe-core/axe.min.js", { paths: [process.env.LAO_NODE_MODULES] });

let browser, context, page, session, told;

const allowed = (url, hosts) =>
  url.startsWith("file:") || url.startsWith("data:") || url.startsWith("blob:") || hosts.includes(new URL(url).host);

// As the devtools do it: the policy of the page, which lets no script in, does not bind it.
const evaluated = async (expression) => {
  const { result, exceptionDetails } = await session.send("Runtime.evaluate", {
    expression, awaitPromise: true, returnByValue: true,
  });
  if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
  return result.value;
};

const operations = {
  async open({ url, width, height, scheme, hosts = [], script = true, reduced = true }) {
    browser ??= await chromium.launch({
      executablePath: process.env.LAO_CHROMIUM,
      args: ["--no-sandbox", "--disable-dev-shm-usage", "--font-render-hinting=none"],
    });
    await context?.close();
    context = await browser.newContext({
      viewport: { width, height },
      colorScheme: scheme,
      javaScriptEnabled: script,
      reducedMotion: reduced ? "reduce" : "no-preference",
      bypassCSP: false,
    });
    page = await context.newPage();
    session = await context.newCDPSession(page);
    told = { errors: [], outside: [], requests: [] };
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) told.errors.push(message.text());
    });
    page.on("pageerror", (error) => told.errors.push(String(error)));
    await page.route("**/*", (route) => {
      const asked = route.request().url();
      told.requests.push(asked);
      if (allowed(asked, hosts)) return route.continue();
      told.outside.push(asked);
      return route.abort();
    });
    await page.goto(url, { waitUntil: "load" });
    return null;
  },
  async told() { return told; },
  async forget() { told.errors.length = 0; return null; },
  async evaluate({ code }) { return evaluated(code); },
  async until({ code, timeout }) {
    const deadline = Date.now() + timeout;
    while (!(await evaluated(code))) {
      if (Date.now() > deadline) throw new Error(`not true within ${timeout} ms: ${code}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return Date.now();
  },
  async press({ key }) { await page.keyboard.press(key); return null; },
  async click({ selector }) { await page.click(selector); return null; },
  async picture({ path, full }) { await page.screenshot({ path, fullPage: full }); return null; },
  async pdf({ path }) { await page.pdf({ path, format: "A4" }); return null; },
  async shape({ width, height, scheme }) {
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme: scheme });
    return null;
  },
  async media({ media }) { await page.emulateMedia({ media }); return null; },
  async axe() {
    await evaluated(`${require("fs").readFileSync(axe, "utf8")}; undefined`);
    const run = "axe.run(document, { resultTypes: ['violations'] }).then((found) => JSON.stringify(found.violations))";
    return JSON.parse(await evaluated(run)).map((item) => ({
      id: item.id, impact: item.impact, help: item.help, nodes: item.nodes.slice(0, 5).map((node) => node.html.slice(0, 300)),
      why: item.nodes.slice(0, 3).map((node) => node.failureSummary),
    }));
  },
};

(async () => {
  const lines = require("readline").createInterface({ input: process.stdin });
  for await (const line of lines) {
    const { operation, ...values } = JSON.parse(line);
    let answer;
    try {
      answer = { value: await operations[operation](values) };
    } catch (error) {
      answer = { error: String(error) };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
  await browser?.close();
})();
