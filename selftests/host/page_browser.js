// SPDX-License-Identifier: GPL-2.0
// The exporter's page as somebody uses it: page_browser.js ADDRESS PID PICTURES
// playwright-core drives Debian's chromium. The exporter at ADDRESS, which is process PID, has played
// guests (unit/many_vms); it is ended in the end. PICTURES: a directory for screenshots, or nothing.
// Prints what is wrong; exit status 1 if anything is.
"use strict";

const fs = require("fs");
const { chromium } = require("playwright-core");

const [address, pid, pictures] = process.argv.slice(2);
const PATIENCE_MS = 300000;
const HOSTILE = "<img src=x onerror=alert(1)>";
let failed = 0;

function check(what, is) {
	if (!is)
		console.log("wrong: " + what);
	failed += !is;
}

async function open(browser, hash, options) {
	const context = await browser.newContext(options);
	const page = await context.newPage();

	page.setDefaultTimeout(PATIENCE_MS);
	page.on("dialog", (dialog) => {
		check("a name ran: " + dialog.message(), false);
		dialog.dismiss();
	});
	page.on("pageerror", (error) => check(String(error), false));
	page.on("console", (message) => check(message.text(), /ERR_CONNECTION/.test(message.text())));
	await page.goto(address + hash);
	await page.waitForSelector("#vms tbody tr");
	return page;
}

// Chromium runs it beside the page, which no policy of the page forbids.
async function accessible(page, what) {
	await page.evaluate(fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8"));
	const { violations } = await page.evaluate(() => window.axe.run());
	for (const { id, impact, nodes } of violations)
		check(`${what}: ${id} (${impact}): ${nodes.map((node) => node.html).join(" ")}`, false);
}

async function picture(page, name) {
	if (pictures)
		await page.screenshot({ path: `${pictures}/${name}.png`, fullPage: true });
}

function names(page) {
	return page.$$eval("#vms tbody button", (all) => all.map((button) => button.textContent));
}

async function byKeyboard(browser) {
	const page = await open(browser, "");
	const all = await names(page);

	check("all VMs are there", all.length === 8 && new Set(all).size === 8);
	check("a hostile name is text", all.includes(HOSTILE) && !await page.$("img"));
	await page.keyboard.press("Tab");
	await page.keyboard.type("MANY");
	check("the filter has the focus first, and finds", (await names(page)).includes("many") &&
	      (await names(page)).length < 8);
	for (let i = 0; i < 4; i++)
		await page.keyboard.press("Backspace");
	await page.keyboard.press("Tab");	// the table, which scrolls
	await page.keyboard.press("Tab");	// its first heading
	await page.keyboard.press("Enter");
	const sorted = await names(page);
	check("Enter sorts by name", sorted.join() === [...all].sort((a, b) =>
		a.localeCompare(b)).join());
	await page.keyboard.press("Space");
	check("and Space turns it around", (await names(page)).join() === sorted.reverse().join());
	const columns = await page.$$eval("#vms th", (heads) => heads.length);
	for (let i = 0; i < columns; i++)
		await page.keyboard.press("Tab");
	await page.keyboard.press("Enter");
	check("Enter opens a VM", await page.textContent("#detail h2") === sorted[0]);
	const when = await page.textContent("#when");
	await page.waitForFunction((old) => document.getElementById("when").textContent !== old, when);
	check("the focus stays while numbers change", await page.evaluate(() =>
		document.activeElement.dataset.vm) === sorted[0]);
	await page.keyboard.press("Enter");
	check("Enter closes it", await page.isHidden("#detail"));
	await page.context().close();
}

// The numbers are those of /metrics.
async function drillsDown(browser) {
	const page = await open(browser, "#many");
	const text = await (await page.request.get(address + "metrics")).text();
	const sample = (line) => Number(new RegExp(`^kvmwatch_${line} (.*)$`, "m").exec(text)[1]);
	const cells = await page.$$eval("#levels tbody tr", (all) => all.map((tr) =>
		[...tr.cells].map((cell) => cell.textContent)));

	for (const [level, pages] of cells)
		check(`pages of ${level}: ${pages}`, Number(pages.replaceAll(",", "")) ===
		      sample(`vm_mapped_pages{vm="many",level="${level}"}`));
	check("all levels are there", cells.length === 3);
	check("all states are there", await page.locator("#states tbody tr").count() === 7);
	check("all vCPUs are there", await page.locator("#vcpus tbody tr").count() === 4);
	check("it says what the dirty rate covers",
	      /dirty logging.*of 1.0 GiB/s.test(await page.textContent("#detail dl")));
	await page.evaluate(() => { location.hash = "#nobody"; });
	await page.waitForSelector("#about:visible");
	check("a VM that is not there shows no numbers", await page.isHidden("#numbers") &&
	      /There is no such VM/.test(await page.textContent("#about")));
	await page.context().close();
}

async function looks(browser, name, options) {
	const page = await open(browser, "#many", options);

	await page.waitForFunction(() => document.querySelectorAll("polyline").length >= 3);
	await accessible(page, name);
	check(name + ": the page is no wider than the window", await page.evaluate(() =>
		document.documentElement.scrollWidth <= window.innerWidth));
	check(name + ": nothing of the table is hidden", options.viewport || await page.evaluate(() => {
		const { parentElement } = document.getElementById("vms");
		return parentElement.scrollWidth <= parentElement.clientWidth;
	}));
	await picture(page, "page-" + name);
	await page.context().close();
}

// The page, whose looks are answered by answer(change): change makes the text out of the exporter's,
// some seconds after the answer before; null: the connection breaks, undefined: no answer comes. When
// the page looks again, it shows what it was told, and answer() returns.
async function played(browser, hash) {
	const page = await open(browser, hash);
	const text = await (await page.request.get(address + "metrics")).text();
	let arrived, asked, clock = 1000;
	const expect = () => {
		asked = new Promise((resolve, reject) => {
			arrived = resolve;
			setTimeout(() => reject("the page does not look again"), PATIENCE_MS).unref();
		});
	};

	expect();
	await page.route("**/metrics", (route) => arrived(route));
	const answer = async (change, seconds = 3) => {
		const route = await asked;

		clock += seconds;
		const changed = change(text.replace(/^(kvmwatch_read_at_seconds.* ).*$/gm, "$1" + clock));
		expect();
		if (changed === null)
			await route.abort("connectionrefused");
		else if (changed !== undefined)
			await route.fulfill({ contentType: "text/plain", body: changed });
		await asked;
	};
	await answer((same) => same);
	await answer((same) => same);
	return { page, answer };
}

const without = (text, name) => text.replaceAll(new RegExp(`^.*[{]vm="${name}".*\n`, "gm"), "");
const isAnother = (text, name) => text.replace(`{vm="${name}",id="`, '$&7');
const isLoadedAgain = (text) => text.replace(/load="/, '$&7');
const isDown = () => "kvmwatch_up 0\nkvmwatch_down_info{reason=\"not loaded\"} 1\n";

async function tellsWhatChanges(browser) {
	const { page, answer } = await played(browser, "#many");
	const cpu = () => page.textContent('#vms tr[aria-current] td:nth-child(3)');
	const says = async (what, id, words) => {
		const text = await page.isVisible(id) ? await page.textContent(id) : "";
		check(`${what}: ${id} is "${text}"`, words.test(text));
	};

	check("a rate is there", /%/.test(await cpu()));
	await says("all is well", "#about", /^$/);
	await page.focus('[data-vm="many"]');
	await answer((text) => without(text, "many"));
	check("a VM that ended has no row", (await names(page)).length === 7);
	check("and no numbers", await page.isHidden("#numbers"));
	await says("it ended", "#about", /has ended.* seen until \d/);
	await says("it ended", "#state", /^7 VMs$/);
	check("the focus is on the table", await page.evaluate(() =>
		document.activeElement === document.getElementById("vms").parentElement));
	await picture(page, "page-vm-ended");
	await answer((text) => isAnother(text, "many"));
	check("a new VM of that name has no rate", await cpu() === "–");
	await says("another of its name", "#about", /began again after \d/);
	await picture(page, "page-vm-again");
	await answer((text) => isAnother(text, "many"));
	check("until it was seen twice", /%/.test(await cpu()));
	await answer((text) => isAnother(isAnother(text, "many"), "many"));
	check("nor has one that came at once", await cpu() === "–");
	await answer((text) => isAnother(isAnother(text, "many"), "many"));
	check("its lines begin with it", await page.locator("polyline").count() === 4);
	await answer((text) => isLoadedAgain(isAnother(isAnother(text, "many"), "many")));
	check("kvmwatch loaded again has no rates", await cpu() === "–");
	await answer(isDown);
	check("kvmwatch unloaded shows no VMs", (await names(page)).length === 0);
	await says("unloaded", "#state", /^VMs unknown$/);
	await says("unloaded", "#about", /Nobody knows whether this VM runs.* seen until \d/);
	await says("unloaded", "#banner", /not loaded/);
	await picture(page, "page-unloaded");
	await answer((text) => isLoadedAgain(isAnother(text, "many")));
	await says("loaded", "#banner", /^$/);
	await answer((text) => text + 'kvmwatch_hook_ok{hook="exit",reason="gone"} 0\n');
	await says("a hook is missing", "#banner", /^exit is missing: gone$/);
	await answer((text) => text.replace(/^kvmwatch_vms_omitted .*$/m, "kvmwatch_vms_omitted 5"));
	await says("not all VMs", "#state", /^8 of 13 VMs/);
	await answer(() => null);
	await says("the exporter is away", "#banner", /does not answer: .* so at \d/);
	await answer((text) => text);
	await says("it is back", "#banner", /^$/);
	check("what happened meanwhile is in the rate", /%/.test(await cpu()));
	await answer((text) => text, 1000);
	check("unless it was long", await cpu() === "–");
	await answer(() => undefined);
	await says("the exporter hangs", "#banner", /does not answer: it takes too long/);
	await page.context().close();
}

async function saysThatItEnds(browser) {
	const page = await open(browser, "");

	check("no banner where all is well", await page.isHidden("#banner"));
	process.kill(Number(pid));
	await page.waitForSelector("#banner:visible");
	check("a banner says that nobody answers",
	      /does not answer/.test(await page.textContent("#banner")));
	await picture(page, "page-ended");
	await page.context().close();
}

async function main() {
	const browser = await chromium.launch({
		executablePath: "/usr/bin/chromium", args: ["--no-sandbox"], timeout: PATIENCE_MS,
	});

	await byKeyboard(browser);
	await drillsDown(browser);
	await looks(browser, "light", { colorScheme: "light" });
	await looks(browser, "dark", { colorScheme: "dark" });
	await looks(browser, "phone", { viewport: { width: 390, height: 844 } });
	await tellsWhatChanges(browser);
	await saysThatItEnds(browser);
	await browser.close();
	process.exit(failed ? 1 : 0);
}

main().catch((error) => {
	console.log(String(error));
	process.exit(1);
});
