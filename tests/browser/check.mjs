// What a reader sees of a report: node check.mjs REPORT.html FOLDER-OF-SCREENSHOTS
import assert from "node:assert/strict";
import { resolve } from "node:path";
import { chromium } from "playwright-core";

const [report, folder] = process.argv.slice(2).map((path) => resolve(path));

const HEADINGS = [
  "Training", "Evaluation", "Calibration", "Most confident mistakes", "Training images",
  "Throughput", "Exported network", "ONNX and Burn", "Settings", "Versions and hashes",
];
const CONFIDENCE = "confidence: probability of the predicted class (%)";
const AXES = {
  loss: ["epoch", "cross-entropy (nats)"],
  accuracy: ["epoch", "accuracy (%)"],
  "learning-rate": ["epoch", "learning rate (of the last step)"],
  confusion: ["predicted class", "true class"],
  classes: ["class", "part of the images (%)"],
  reliability: [CONFIDENCE, "accuracy (%)"],
  confidence: [CONFIDENCE, "part of the images (%)"],
};
const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

// A fresh profile each time: playwright makes one.
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: FLAGS });
for (const [device, width] of [["desktop", 1280], ["phone", 390]]) {
  for (const colorScheme of ["light", "dark"]) {
    const name = `${device}-${colorScheme}`;
    const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme });
    const page = await context.newPage();
    const problems = [];
    page.on("request", (request) => {
      const own = request.url().startsWith("data:") || request.url() === `file://${report}`;
      if (!own) problems.push(`asked for ${request.url()}`);
    });
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("console", (message) => problems.push(message.text()));
    page.on("dialog", (dialog) => problems.push(`said ${dialog.message()}`) && dialog.dismiss());
    await page.goto(`file://${report}`);
    await content(page);
    await layout(page, width);
    await hovering(page);
    await theme(page, colorScheme);
    await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
    assert.deepEqual(problems, [], name);
    console.log(`${name}: as it should be`);
    await context.close();
  }
}
await browser.close();

/** Headings, plots with the names of their axes, and pictures. */
async function content(page) {
  assert.deepEqual(await page.locator("h2").allTextContents(), HEADINGS);
  assert.equal(await page.locator(".canvas svg").count(), Object.keys(AXES).length + 1);
  for (const [plot, names] of Object.entries(AXES)) {
    const texts = await page.locator(`#${plot} svg text`).allTextContents();
    for (const name of names) assert.ok(texts.includes(name), `${plot}: ${name}`);
  }
  const boxes = await page.locator("#graph text").allTextContents();
  for (const text of ["input  image", "output  logits", "[batch, 10]"]) {
    assert.ok(boxes.includes(text), text);
  }
  const classes = await page.locator("#evaluation tbody th").allTextContents();
  assert.deepEqual(classes[0], "<img src=x onerror=alert(1)>");
  assert.equal(await page.locator("#samples img").count(), 60);
  const broken = await page.locator("img").evaluateAll(
    (images) => images.filter((image) => image.naturalWidth === 0).length,
  );
  assert.equal(broken, 0);
}

/** Nothing is wider than the screen, and no text of a plot is cut off. */
async function layout(page, width) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= width, `${wide} pixels on a screen of ${width}`);
  const cut = await page.locator(".canvas svg text").evaluateAll((texts) =>
    texts.filter((text) => {
      const [inner, outer] = [text, text.ownerSVGElement].map((e) => e.getBoundingClientRect());
      return inner.left < outer.left - 1 || inner.right > outer.right + 1
        || inner.top < outer.top - 1 || inner.bottom > outer.bottom + 1;
    }).map((text) => text.textContent),
  );
  assert.deepEqual(cut, []);
}

/** What a pointer over each plot is told. */
async function hovering(page) {
  const tip = page.locator("#tip");
  assert.ok(await tip.isHidden());
  const said = async (plot) => {
    await page.locator(`#${plot} g.tt`).first().hover({ force: true });
    return (await tip.textContent()).split("\n");
  };
  const loss = await said("loss");
  assert.equal(loss[0], "epoch 1");
  assert.match(loss[1], /^training: \d\.\d{4}$/);
  assert.match(loss[2], /^validation: \d\.\d{4}$/);
  assert.match((await said("accuracy"))[2], /^validation: \d+\.\d{2}%$/);
  assert.match((await said("learning-rate"))[1], /^learning rate: 3\.00e-3$/);
  assert.match((await said("confusion"))[0], /^true class: /);
  assert.match((await said("reliability"))[1], /^\d+ images$/);
  const seen = await tip.boundingBox();
  const { width, height } = page.viewportSize();
  assert.ok(seen.x >= 0 && seen.x + seen.width <= width && seen.y + seen.height <= height);
  await page.mouse.move(0, 0);
  await page.locator("h1").hover();
  assert.ok(await tip.isHidden());
}

/** Light or dark as the reader has it, and the other on request. */
async function theme(page, colorScheme) {
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const brightness = async () => Number((await ground()).match(/\d+/)[0]);
  const isDark = async () => (await brightness()) < 128;
  assert.equal(await isDark(), colorScheme === "dark");
  await page.locator("#theme").click();
  assert.equal(await isDark(), colorScheme !== "dark");
  await page.locator("#theme").click();
}
