import assert from "node:assert/strict";
import { test } from "node:test";

import { createCausal } from "../causal.js";
import { eventAt, logLine, RECEIVE, SEND } from "../run.js";
import { randomFrom } from "../testing/generate.js";
import { randomRun } from "../testing/open.js";
import { countsOf, cutSentence, eventSentence, formatInstant, messageFacts, messageTimes, relationOf } from "./describe.js";
import { svgOf, tikzOf } from "./figure.js";
import { commandOf, diagramKeys } from "./keys.js";
import { matcherOf, nextHit, startSearch } from "./search.js";

const run = randomRun({ machines: 4, events: 500, seed: 21, latency: 350000, ids: [0, 3, 4, 9] });
const causal = createCausal(run);

test("queries find what the lines say", () => {
	const lines = Array.from({ length: run.total }, (_, e) => logLine(run, e));
	/** @type {[string, RegExp | ((e: number) => boolean)][]} */
	const table = [
		["send", / send: /], ["kind:receive", / receive: /], ["KIND=internal", / internal: /], ["machine:3", / vm-3: /], ["vm-9", / vm-9: /], ["vm-9:", / vm-9: /],
		["clock:17", / clock=17 /], ["clock>100", (e) => run.clock[e] > 100], ["clock<=9", (e) => run.clock[e] <= 9], ["step:5-7", / step=[567] /], ["step=5..7", / step=[567] /],
		["queue>=2", (e) => run.queue[e] >= 2], ["from:4", / from=4 /], ["to:0", / to="?(?:\d+:\d+,)?0:/], ["sent:12", / sent=12$/], ["time<2.5", (e) => run.micro[e] < 2500000],
		["send machine:3 clock<40", (e) => run.kind[e] === SEND && run.machineOf[e] === 1 && run.clock[e] < 40],
		['"queue=1 from=0"', / queue=1 from=0 /], ["receive: step=3", / receive: step=3 /], ["SEQ=2", / seq=2\d*/], ["<script>", /<script>/], ['"', /(?:)/],
	];
	for (const [query, expected] of table) {
		const matches = /** @type {(e: number) => boolean} */ (matcherOf(run, query));
		for (let e = 0; e < run.total; e++) assert.equal(matches(e), expected instanceof RegExp ? expected.test(lines[e]) : expected(e), `${query}: ${lines[e]}`);
	}
	assert.equal(matcherOf(run, "  "), null);
});

test("a search goes on in slices and can be stopped", () => {
	/** @type {(() => void)[]} */
	const later = [];
	let calls = 0;
	const search = startSearch(run, "receive", () => calls++, (slice) => later.push(slice));
	for (let slice = later.shift(); slice; slice = later.shift()) slice();
	assert.ok(search.done && calls > 0);
	assert.deepEqual(search.hits, Array.from(run.kind.keys()).filter((e) => run.kind[e] === RECEIVE));
	const stopped = startSearch(run, "receive", () => assert.fail("it was stopped"), (slice) => later.push(slice));
	stopped.stop();
	later.forEach((slice) => slice());
	assert.deepEqual(startSearch(run, "", () => assert.fail("nothing to search")).done, true);
});

test("next and previous go through the hits in order, and round", () => {
	const matches = /** @type {(e: number) => boolean} */ (matcherOf(run, "send"));
	const hits = Array.from({ length: run.total }, (_, e) => e).filter(matches);
	const values = run.time;
	const sorted = [...hits].sort((a, b) => values[a] - values[b] || run.machineOf[a] - run.machineOf[b]);
	const all = () => true;
	assert.equal(nextHit(run, values, hits, -1, 1, all), sorted[0]);
	assert.equal(nextHit(run, values, hits, -1, -1, all), sorted[sorted.length - 1]);
	sorted.forEach((e, k) => {
		assert.equal(nextHit(run, values, hits, e, 1, all), sorted[(k + 1) % sorted.length]);
		assert.equal(nextHit(run, values, hits, e, -1, all), sorted[(k + sorted.length - 1) % sorted.length]);
	});
	for (let e = 0; e < run.total; e += 3) {
		const after = sorted.find((x) => (values[x] - values[e] || run.machineOf[x] - run.machineOf[e]) > 0);
		assert.equal(nextHit(run, values, hits, e, 1, all), after ?? sorted[0]);
	}
	assert.equal(run.machineOf[nextHit(run, values, hits, -1, 1, (i) => i === 2)], 2, "hidden machines are passed over");
	assert.equal(nextHit(run, values, [], 5, 1, all), -1);
});

test("when a message joined the queue follows from the lengths of the queue", () => {
	let exact = 0;
	for (let m = 0; m < run.messages.count; m++) {
		const { sent, received, between } = messageTimes(run, m);
		assert.equal(sent, run.micro[run.messages.send[m]]);
		if (run.messages.receive[m] < 0) {
			assert.equal(between, null);
			continue;
		}
		const arrived = sent + 350000;
		const [a, b] = /** @type {[number, number]} */ (between);
		assert.ok(a - 1 <= arrived && arrived <= b + 1, `${a} … ${b} holds ${arrived}`);
		assert.ok(b <= /** @type {number} */ (received));
		if (b < /** @type {number} */ (received)) exact++;
	}
	assert.ok(exact > 10, "some waited");
});

test("words about events, messages and cuts", () => {
	const e = run.kind.indexOf(SEND);
	assert.match(eventSentence(run, e), /^vm-\d+, event \d+ of \d+: sends to vm-\d+( and vm-\d+)?\. Clock \d+, queue \d+, at \d+\.\d+\u2009s\.$/);
	assert.match(countsOf(run, causal, e), /^\d+ happened before it, \d+ after it, \d+ (?:is|are) concurrent with it\.$/);
	for (let m = 0; m < run.messages.count; m++) {
		const facts = new Map(messageFacts(run, m));
		assert.equal(facts.get("Send"), logLine(run, run.messages.send[m]));
		assert.equal(facts.has("Time under way"), run.messages.receive[m] >= 0);
	}
	assert.equal(formatInstant(1500000), "1.500\u2009s");
	assert.equal(formatInstant(-1234567), "−1.234567\u2009s");
	assert.match(cutSentence({ consistent: true, flying: [], backward: [], inFlight: 1, violations: 0 }), /consistent\. 1 message is in flight/);
	assert.match(cutSentence({ consistent: false, flying: [], backward: [], inFlight: 0, violations: 2 }), /not consistent: 2 messages are received in it but sent behind it\. No message/);
});

test("what the clocks say of two events is true", () => {
	const random = randomFrom(5);
	for (let trial = 0; trial < 300; trial++) {
		const [a, b] = [Math.floor(random() * run.total), Math.floor(random() * run.total)];
		if (a === b) continue;
		const { order, headline, chain, clocks } = relationOf(run, a, b, causal);
		assert.equal(order, causal.before(a, b) ? "before" : causal.before(b, a) ? "after" : "concurrent");
		const [lamport, vector, wall] = clocks;
		if (order === "before") assert.match(headline, /^A happened before B/);
		if (order === "after") assert.match(headline, /^B happened before A/);
		if (order === "concurrent") assert.deepEqual(chain, []);
		assert.match(vector.says, order === "concurrent" ? /concurrent/ : order === "before" ? /A happened before B/ : /B happened before A/);
		// Lamport's clocks must never say more than they know.
		if (run.machineOf[a] !== run.machineOf[b] && run.clock[a] !== run.clock[b]) assert.match(lamport.says, run.clock[a] < run.clock[b] ? /^B did not happen before A/ : /^A did not happen before B/);
		if (run.clock[a] === run.clock[b]) assert.equal(order, "concurrent");
		assert.match(wall.says, run.micro[a] === run.micro[b] ? /^At the same/ : run.micro[a] < run.micro[b] ? /^A was/ : /^B was/);
	}
	assert.equal(eventAt(run, 0, -1), -1);
});

test("figures: text stays text", () => {
	const hostile = "</text><script>alert(1)</script>\\input{x}%$&\"'";
	/** @type {import("./figure.js").Shape[]} */
	const shapes = [
		{ shape: "text", x: 1, y: 2, text: hostile, size: 10, anchor: "middle", fill: "#112233" },
		{ shape: "rects", list: [[0, 0, 10, 5]], fill: "#112233", opacity: 0.5 },
		{ shape: "lines", list: [[0, 0, 10, 5], [1, 1, 2, 2]], stroke: "#445566", arrow: true },
		{ shape: "circles", list: [[3, 3, 2]], stroke: "#445566", dash: true },
		{ shape: "polygons", list: [[0, 0, 1, 1, 2, 0]], fill: "#112233" },
		{ shape: "path", list: [[0, 0], [5, 5], [6, 0]], stroke: "#445566" },
	];
	const svg = svgOf(shapes, { width: 100, height: 50, background: "#ffffff", font: 'a"b', title: hostile });
	assert.ok(!/<script|<\/text><s/.test(svg));
	assert.equal(svg.match(/<text /g)?.length, 1);
	assert.ok(svg.includes("&#60;script&#62;") && svg.includes('font-family="a&#34;b"'));
	const tikz = tikzOf(shapes, { width: 100, height: 50, note: "a\nb\\end{tikzpicture}" });
	assert.ok(!tikz.includes("\\input{x}") && tikz.includes("\\textbackslash{}input\\{x\\}\\%\\$\\&"));
	assert.equal(tikz.split("\n")[0], "% a b\\end{tikzpicture}", "a note stays on its line");
	assert.equal(tikz.match(/\\definecolor/g)?.length, 2);
	assert.equal(tikz.match(/-\{Latex/g)?.length, 2, "each arrow has its tip");
});

test("each key has one meaning, and the help has them all", () => {
	const key = (/** @type {Partial<KeyboardEvent>} */ event) => commandOf(/** @type {KeyboardEvent} */ ({ altKey: false, shiftKey: false, ctrlKey: false, metaKey: false, ...event }));
	assert.equal(key({ key: "ArrowRight" }), "nextEvent");
	assert.equal(key({ key: "ArrowRight", shiftKey: true }), "panRight");
	assert.equal(key({ key: "ArrowRight", altKey: true }), "moveOn");
	assert.equal(key({ key: "N", shiftKey: true }), "previousHit");
	assert.equal(key({ key: "+", shiftKey: true }), "zoomIn");
	assert.equal(key({ key: "c", ctrlKey: true }), null, "copying stays copying");
	assert.equal(key({ key: "Tab" }), null);
	assert.ok(diagramKeys.every(([shown, words]) => shown !== "" && words !== ""));
});
