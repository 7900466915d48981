// SPDX-License-Identifier: GPL-2.0
// The VMs of this host, from what Prometheus reads (metrics), again and again. Names belong to
// tenants: they are text, never markup.
"use strict";

const EVERY_MS = 3000;
const PAGE = 4096;
const PATIENCE_MS = 15000;	// with an answer
const RATED_S = 150;		// how old the look before may be; browsers let hidden pages look rarely
const KEPT_MS = 600000;
const SHORTEST_MS = 60000;	// what a graph is wide at least
const SVG = "http://www.w3.org/2000/svg";

let before = null;		// the look before: what rates are since
let now = null;
let sort = { key: "cpu", down: true };
let chosen = null;		// a name
let seen = null;		// the VM that had it at the last look: { name, key, ms, until }
let timer = null;		// of the next look; null: one is under way
const past = new Map();		// of each VM: { key, looks: [ { ms, cpu, delay, ... } ] }

// --- reading ---------------------------------------------------------------

const SAMPLE = /^kvmwatch_(\w+)(?:\{(.*)\})? (\S+)$/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

function unescape(text) {
	return text.replace(/\\(.)/g, (all, letter) => letter === "n" ? "\n" : letter);
}

// { name: [ { labels, value } ] }
function parse(text) {
	const families = new Map();
	for (const line of text.split("\n")) {
		const match = line.startsWith("#") ? null : SAMPLE.exec(line);
		if (!match || match[1].endsWith("_bucket"))
			continue;
		const labels = {};
		for (const label of (match[2] || "").matchAll(LABEL))
			labels[label[1]] = unescape(label[2]);
		if (!families.has(match[1]))
			families.set(match[1], []);
		families.get(match[1]).push({ labels, value: Number(match[3]) });
	}
	return families;
}

function samples(families, name) {
	return families.get(name) || [];
}

// The host's clock at that look. An answer that is given out again is the same look.
function clockOf(families) {
	const read = samples(families, "read_at_seconds").find(({ labels }) => labels.object === "vm");
	return read && read.value;
}

// What there is of each VM; what is unknown is undefined. Its key tells it from others of its name:
// ids begin again when the module is loaded, and so do all counters.
function digest(families, ms) {
	const vms = new Map();
	const { load } = (samples(families, "module_info")[0] || { labels: {} }).labels;
	for (const { labels } of samples(families, "vm_info"))
		vms.set(labels.vm, { labels, key: load + " " + labels.id, exits: new Map(),
				     times: new Map(), states: new Map(), pages: new Map(),
				     vcpus: new Map() });
	const each = (name, take) => {
		for (const { labels, value } of samples(families, name)) {
			const vm = vms.get(labels.vm);
			if (vm)
				take(vm, value, labels);
		}
	};
	for (const [key, name] of [["memory", "vm_memory_bytes"], ["mapped", "vm_mapped_bytes"],
				   ["logged", "vm_dirty_logged_bytes"], ["nr", "vm_vcpus"],
				   ["dirtied", "vm_new_dirty_pages_total"],
				   ["peak", "vm_mapped_peak_bytes"],
				   ["exitTime", "vm_exit_seconds_total"],
				   ["lost", "vm_lost_events_total"],
				   ["failures", "vm_audit_failures_total"]])
		each(name, (vm, value) => { vm[key] = value; });
	each("vm_exits_total", (vm, value, labels) => {
		vm.exits.set(labels.reason, value);
		vm.left = (vm.left || 0) + value;
	});
	for (const [key, name, label] of [["times", "vm_exit_reason_seconds_total", "reason"],
					  ["states", "vm_state_seconds_total", "state"],
					  ["pages", "vm_mapped_pages", "level"]])
		each(name, (vm, value, labels) => { vm[key].set(labels[label], value); });
	const vcpuOf = (vm, labels) => {
		if (!vm.vcpus.has(labels.vcpu))
			vm.vcpus.set(labels.vcpu, {});
		return vm.vcpus.get(labels.vcpu);
	};
	for (const [name, keyOf] of [["on_cpu_seconds_total", () => "on"],
				     ["run_delay_seconds_total", () => "delay"],
				     ["halted_seconds_total", () => "halted"],
				     // "poll" and "wait"
				     ["halt_wakeups_total", (labels) => labels.how]]) {
		each("vcpu_" + name, (vm, value, labels) => {
			const key = keyOf(labels);
			vcpuOf(vm, labels)[key] = value;
			vm[key] = (vm[key] || 0) + value;
		});
		each("vm_" + name, (vm, value, labels) => {	// --no-vcpus
			vm[keyOf(labels)] = value;
		});
	}
	each("vcpu_halt_poll_window_seconds", (vm, value, labels) => {
		vcpuOf(vm, labels).window = value;
	});
	const down = samples(families, "down_info")[0];
	const omitted = samples(families, "vms_omitted")[0];
	return { ms, clock: clockOf(families), vms, families, down: down && down.labels.reason,
		 omitted: omitted ? omitted.value : 0 };
}

// By how much it grew a second; undefined: nobody knows.
function rate(was, is) {
	const seconds = before ? now.clock - before.clock : 0;
	const grown = is - was;
	return seconds > 0 && seconds < RATED_S && grown >= 0 ? grown / seconds : undefined;
}

function part(was, is, nr) {
	const grown = rate(was, is);
	return grown === undefined || !nr ? undefined : Math.min(grown / nr, 1);
}

// Of the halts that ended, the part that ended while KVM polled.
function polled(was, is) {
	const poll = rate(was.poll, is.poll), wait = rate(was.wait, is.wait);
	return poll + wait > 0 ? poll / (poll + wait) : undefined;
}

function rows() {
	const all = [];
	for (const [name, vm] of now.vms) {
		const old = before && before.vms.get(name);
		// A VM of that name that is another one has counters of its own.
		const was = old && old.key === vm.key ? old : {};
		const pages = vm.logged > 0 ? rate(was.dirtied, vm.dirtied) : undefined;
		all.push({
			name, vm, was, vcpus: vm.nr,
			cpu: part(was.on, vm.on, vm.nr),
			delay: part(was.delay, vm.delay, vm.nr),
			halted: part(was.halted, vm.halted, vm.nr),
			polled: polled(was, vm),
			exits: rate(was.left, vm.left),
			exitTime: part(was.exitTime, vm.exitTime, vm.nr),
			memory: vm.memory,
			mapped: vm.memory ? vm.mapped / vm.memory : undefined,
			dirty: pages === undefined ? undefined : pages * PAGE,
			logged: vm.memory ? vm.logged / vm.memory : undefined,
		});
	}
	return all;
}

// --- the past --------------------------------------------------------------

// A VM that ended is forgotten, and so is one of the same name before it. When no VM can be seen,
// nobody knows which have ended.
function remember(all) {
	if (now.down !== undefined)
		return;
	const names = new Set(all.map((row) => row.name));
	for (const name of [...past.keys()].filter((name) => !names.has(name)))
		past.delete(name);
	for (const { name, vm, cpu, delay, exits, dirty } of all) {
		if (!past.has(name) || past.get(name).key !== vm.key)
			past.set(name, { key: vm.key, looks: [] });
		const { looks } = past.get(name);
		looks.push({ ms: now.ms, cpu, delay, exits, dirty });
		while (looks[0].ms < now.ms - KEPT_MS)
			looks.shift();
	}
}

// --- words -----------------------------------------------------------------

function known(value) {
	return value !== undefined && !Number.isNaN(value);
}

function percent(value) {
	return known(value) ? (100 * value).toFixed(1) + " %" : "–";
}

function timeOf(ms) {
	return new Date(ms).toLocaleTimeString();
}

function bytes(value) {
	if (!known(value))
		return "–";
	const units = ["B", "KiB", "MiB", "GiB", "TiB"];
	let unit = 0;
	for (; value >= 1024 && unit < units.length - 1; unit++)
		value /= 1024;
	return value.toFixed(value < 10 && unit ? 1 : 0) + " " + units[unit];
}

function microseconds(seconds) {
	return known(seconds) ? Math.round(seconds * 1e6).toLocaleString("en") + " µs" : "–";
}

function count(value) {
	return known(value) ? Math.round(value).toLocaleString("en") : "–";
}

const COLUMNS = [
	{ key: "name", head: "VM", text: (row) => row.name },
	{ key: "vcpus", head: "vCPUs", text: (row) => count(row.vcpus) },
	{ key: "cpu", head: "CPU", text: (row) => percent(row.cpu), bar: true },
	{ key: "delay", head: "Delay", text: (row) => percent(row.delay), bar: true },
	{ key: "halted", head: "Halted", text: (row) => percent(row.halted) },
	{ key: "polled", head: "Polled", text: (row) => percent(row.polled) },
	{ key: "exits", head: "Exits/s", text: (row) => count(row.exits) },
	{ key: "exitTime", head: "In exits", text: (row) => percent(row.exitTime) },
	{ key: "memory", head: "Memory", text: (row) => bytes(row.memory) },
	{ key: "mapped", head: "Mapped", text: (row) => percent(row.mapped), bar: true },
	{ key: "dirty", head: "Dirty/s", text: (row) => bytes(row.dirty) },
	{ key: "logged", head: "Logged", text: (row) => percent(row.logged) },
];

// --- showing ---------------------------------------------------------------

function make(tag, text) {
	const element = document.createElement(tag);
	if (text !== undefined)
		element.textContent = text;
	return element;
}

function byId(id) {
	return document.getElementById(id);
}

function compare(a, b) {
	const x = a[sort.key], y = b[sort.key];
	if (sort.key === "name")
		return x.localeCompare(y) * (sort.down ? -1 : 1);
	if (!known(x) || !known(y))
		return known(y) - known(x);	// what is unknown comes last
	return (sort.down ? y - x : x - y) || a.name.localeCompare(b.name);
}

function showHead() {
	const head = byId("vms").tHead.rows[0];
	head.replaceChildren(...COLUMNS.map((column) => {
		const th = make("th"), button = make("button", column.head);
		th.scope = "col";
		button.type = "button";
		button.addEventListener("click", () => {
			const again = sort.key === column.key;
			sort = { key: column.key, down: again ? !sort.down : column.key !== "name" };
			showHead();
			show();
			byId("vms").tHead.querySelector("[aria-sort] button").focus();
		});
		if (sort.key === column.key)
			th.setAttribute("aria-sort", sort.down ? "descending" : "ascending");
		th.append(button);
		return th;
	}));
}

function cell(column, row) {
	const td = make("td");
	if (column.key === "name") {
		const button = make("button", row.name);
		button.type = "button";
		button.title = row.name;
		button.dataset.vm = row.name;
		button.setAttribute("aria-expanded", String(row.name === chosen));
		button.setAttribute("aria-controls", "detail");
		button.addEventListener("click", () => {
			chosen = chosen === row.name ? null : row.name;
			history.replaceState(null, "", "#" + encodeURIComponent(chosen || ""));
			show();
			if (chosen)
				byId("detail").scrollIntoView({ block: "nearest" });
		});
		td.append(button);
		return td;
	}
	if (column.bar && known(row[column.key]))
		td.append(bar(row[column.key]));
	td.append(make("span", column.text(row)));
	return td;
}

// What it shows is beside it as text.
function bar(value) {
	const meter = make("meter");
	meter.value = value;
	meter.setAttribute("aria-hidden", "true");
	return meter;
}

function showVms(all) {
	const words = byId("filter").value.toLowerCase();
	const focused = document.activeElement && document.activeElement.dataset.vm;
	const body = byId("vms").tBodies[0];
	body.replaceChildren(...all.filter((row) => row.name.toLowerCase().includes(words))
		.sort(compare).map((row) => {
			const tr = make("tr");
			if (row.name === chosen)
				tr.setAttribute("aria-current", "true");
			tr.append(...COLUMNS.map((column) => cell(column, row)));
			return tr;
		}));
	for (const button of body.querySelectorAll("button")) {
		if (button.dataset.vm === focused)
			button.focus();
	}
	if (focused && !document.activeElement.dataset.vm)
		byId("vms").parentElement.focus();	// that VM has ended
}

function draw(tag, attributes) {
	const element = document.createElementNS(SVG, tag);
	for (const [name, value] of Object.entries(attributes))
		element.setAttribute(name, value);
	return element;
}

// The pieces of a line, which has a gap where a look knew nothing.
function pieces(looks, key, most) {
	const all = [[]], span = Math.max(SHORTEST_MS, now.ms - looks[0].ms);
	for (const look of looks) {
		if (known(look[key])) {
			const x = 600 - 600 * (now.ms - look.ms) / span;
			all[all.length - 1].push(x.toFixed(1) + "," + (60 - 58 * look[key] / most).toFixed(1));
		} else if (all[all.length - 1].length) {
			all.push([]);
		}
	}
	return all.filter((piece) => piece.length);
}

function graph(name, looks, keys, text, least) {
	const values = keys.flatMap((key) => looks.map((look) => look[key])).filter(known);
	const figure = make("figure"), most = Math.max(least, ...values);
	const words = name + (values.length ? ", up to " + text(Math.max(...values)) : ": unknown");
	const svg = draw("svg", { viewBox: "0 0 600 60", preserveAspectRatio: "none", role: "img",
				  "aria-label": words });
	keys.forEach((key, number) => svg.append(...pieces(looks, key, most).map((piece) =>
		draw("polyline", { class: "line" + number, points: piece.join(" ") }))));
	figure.append(make("figcaption", words), svg);
	return figure;
}

function showPast(name) {
	const { looks } = past.get(name) || { looks: [] };
	byId("past").replaceChildren(
		graph("CPU (solid) and delay (dashed)", looks, ["cpu", "delay"], percent, 0.01),
		graph("Exits a second", looks, ["exits"], count, 1),
		graph("Dirtied a second, of what is logged", looks, ["dirty"], bytes, 1));
}

// Cells are text, or a part of all that has a bar.
function fillTable(id, heads, lines) {
	const table = byId(id), head = make("tr");
	head.append(...heads.map((text) => {
		const th = make("th", text);
		th.scope = "col";
		return th;
	}));
	table.tHead.replaceChildren(head);
	table.tBodies[0].replaceChildren(...lines.map((cells) => {
		const tr = make("tr");
		tr.append(...cells.map((is) => {
			const td = make("td", typeof is === "number" ? undefined : is);
			if (typeof is === "number")
				td.append(bar(is), make("span", percent(is)));
			return td;
		}));
		return tr;
	}));
}

const STATES = {
	guest: "in the guest", kvm: "in KVM", poll: "halted, polling", wait: "halted, waiting",
	preempted: "preempted", blocked: "blocked in KVM", user: "in the VMM",
};
const PAGE_BYTES = { "4k": 4096, "2m": 1 << 21, "1g": 1 << 30 };

function showFacts({ vm }) {
	const covered = !known(vm.logged) ? undefined : vm.logged > 0 ?
		bytes(vm.logged) + " of " + bytes(vm.memory) :
		"off, so nobody knows what it dirties";
	const facts = { ...vm.labels, "dirty logging": covered,
			"mapped at most": known(vm.peak) ? bytes(vm.peak) : undefined,
			"lost events": vm.lost, "failed audits": vm.failures };
	delete facts.vm;
	byId("detail").querySelector("dl").replaceChildren(...Object.entries(facts)
		.filter(([, value]) => value !== undefined)
		.flatMap(([key, value]) => [make("dt", key), make("dd", String(value))]));
}

// Reasons by the time that they took, and those that took none or unknown time by how many.
function exitLines({ vm, was }) {
	if (!was.exits)
		return [["–", "–", "–"]];
	return [...vm.exits].map(([reason, total]) => ({
		reason,
		exits: rate(was.exits.get(reason), total),
		time: part(was.times.get(reason), vm.times.get(reason), vm.nr),
	})).filter(({ exits, time }) => exits > 0 || time > 0)
		.sort((a, b) => (b.time || 0) - (a.time || 0) || b.exits - a.exits).slice(0, 12)
		.map(({ reason, exits, time }) => [reason, count(exits), known(time) ? time : "–"]);
}

function showTables(row) {
	const { vm, was } = row;
	fillTable("states", ["vCPUs were", "Time"], [...vm.states].map(([state, seconds]) => {
		const time = was.states && part(was.states.get(state), seconds, vm.nr);
		return [STATES[state] || state, known(time) ? time : "–"];
	}));
	fillTable("exits", ["Reason", "Exits/s", "Time"], exitLines(row));
	fillTable("levels", ["Pages of", "Mapped", "Bytes"], [...vm.pages].map(([level, pages]) =>
		[level, count(pages), bytes(pages * PAGE_BYTES[level])]));
	fillTable("vcpus", ["vCPU", "CPU", "Delay", "Halted", "Polled", "Poll window"],
		  [...vm.vcpus].map(([number, vcpu]) => {
			const old = was.vcpus && was.vcpus.get(number) || {};
			return [number, percent(part(old.on, vcpu.on, 1)),
				percent(part(old.delay, vcpu.delay, 1)),
				percent(part(old.halted, vcpu.halted, 1)),
				percent(polled(old, vcpu)), microseconds(vcpu.window)];
		  }));
}

// Note which VM has the chosen name. If it is another one than before, or the same one after
// kvmwatch was loaded again, the numbers until then do not belong to it.
function noteChosen(row) {
	if (seen && seen.name !== chosen)
		seen = null;
	if (!row)
		return;
	const until = seen && seen.key !== row.vm.key ? seen.ms : seen && seen.until;
	seen = { name: chosen, key: row.vm.key, ms: now.ms, until };
}

// What its numbers do not say; empty: nothing.
function aboutChosen(row) {
	const last = seen ? " It was seen until " + timeOf(seen.ms) + "." : "";
	if (row)
		return !seen.until ? "" : "Its numbers began again after " + timeOf(seen.until) +
			": this is another VM of that name, or kvmwatch was loaded again.";
	if (now.down !== undefined)
		return "Nobody knows whether this VM runs, as kvmwatch sees none." + last;
	if (now.omitted)
		return "This VM is not there, or one of those that are left out." + last;
	return last ? "This VM has ended, or has another name." + last : "There is no such VM.";
}

function showDetail(row) {
	const detail = byId("detail");
	detail.hidden = !chosen;
	noteChosen(row);
	if (!chosen)
		return;
	const about = aboutChosen(row);
	detail.querySelector("h2").textContent = chosen;
	byId("about").hidden = !about;
	setText("about", about);
	byId("numbers").hidden = !row;
	if (!row)
		return;
	showFacts(row);
	showPast(row.name);
	showTables(row);
}

// What keeps it from seeing all; empty: nothing.
function trouble() {
	if (now.down !== undefined)
		return now.down;
	return samples(now.families, "hook_ok").filter(({ value }) => !value)
		.map(({ labels }) => labels.hook + " is missing: " + labels.reason).join("; ");
}

// Text that changes is read aloud, so set only what is new.
function setText(id, text) {
	if (byId(id).textContent !== text)
		byId(id).textContent = text;
}

function showBanner(text) {
	byId("banner").hidden = !text;
	setText("banner", text);
}

function howMany(shown) {
	if (now.down !== undefined)
		return "VMs unknown";
	if (now.omitted)
		return shown + " of " + (shown + now.omitted) + " VMs; --max-vms leaves out the others";
	return shown + (shown === 1 ? " VM" : " VMs");
}

function show() {
	if (!now)
		return;
	const all = rows();
	setText("state", howMany(all.length));
	setText("when", "at " + timeOf(now.ms));
	showBanner(trouble());
	showVms(all);
	showDetail(all.find((row) => row.name === chosen));
}

function showSilence(why) {
	showBanner("The exporter does not answer: " + why +
		   (now ? ". What is shown was so at " + timeOf(now.ms) + "." : ""));
}

async function look() {
	const control = new AbortController();
	const patience = setTimeout(() => control.abort(), PATIENCE_MS);
	timer = null;
	try {
		const response = await fetch("metrics", { headers: { Accept: "text/plain" },
							  signal: control.signal });
		if (!response.ok)
			throw new Error("HTTP " + response.status);
		const next = digest(parse(await response.text()), Date.now());
		if (!now || next.clock === undefined || next.clock !== now.clock) {
			before = now;
			now = next;
			remember(rows());
		}
		show();
	} catch (error) {
		showSilence(control.signal.aborted ? "it takes too long" : error.message);
	}
	clearTimeout(patience);
	timer = setTimeout(look, document.hidden ? 4 * EVERY_MS : EVERY_MS);
}

// page#NAME shows that VM. What is no text, as somebody else may have made the link, shows none.
function choose() {
	try {
		chosen = decodeURIComponent(location.hash.slice(1)) || null;
	} catch {
		chosen = null;
	}
}

choose();
addEventListener("hashchange", () => {
	choose();
	show();
});
document.addEventListener("visibilitychange", () => {
	if (!document.hidden && timer !== null) {
		clearTimeout(timer);
		look();
	}
});
showHead();
byId("filter").addEventListener("input", show);
look();
