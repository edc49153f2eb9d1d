import assert from "node:assert/strict";
import { test } from "node:test";

import { createCausal } from "../causal.js";
import { positionOf, RECEIVE, SEND } from "../run.js";
import { randomFrom } from "../testing/generate.js";
import { randomRun } from "../testing/open.js";
import { createAxis } from "./axis.js";
import { timeLabel } from "./frame.js";
import { hitTest, nearestEvent, toSegment } from "./hit.js";
import { causesOf, effectsOf, moveEvent } from "./move.js";
import { layoutRows, rowAt } from "./rows.js";
import { createScale, foldsBetween, niceTicks } from "./scale.js";
import { buildScene, CONCURRENT, createScene, FUTURE, PAST, PLAIN } from "./scene.js";
import { litParts, shadingOf } from "./shade.js";

test("a scale maps there and back, folded or not", () => {
	const random = randomFrom(1);
	const values = Float64Array.from({ length: 40 }, () => random() ** 4 * 1000).sort();
	const folds = foldsBetween(values, 0, 1000);
	assert.ok(folds && folds.start.length > 0);
	for (const scale of [createScale(100, 900, 80, 1000), createScale(0, 1000, 80, 1000, folds), createScale(3.5, 777, 80, 1000, folds)]) {
		assert.ok(Math.abs(scale.toPixel(scale.from) - 80) < 1e-9);
		assert.ok(Math.abs(scale.toPixel(scale.to) - 1080) < 1e-6);
		let last = -Infinity;
		for (let v = 0; v <= 1000; v += 0.37) {
			const x = scale.toPixel(v);
			assert.ok(x > last, "it ascends");
			last = x;
			assert.ok(Math.abs(scale.toValue(x) - v) < 1e-6, `${v}`);
		}
	}
});

test("stretches are folded where nothing lies, and nowhere else", () => {
	const values = Float64Array.from([1, 2, 3, 50, 51, 52, 100]);
	const folds = /** @type {NonNullable<ReturnType<typeof foldsBetween>>} */ (foldsBetween(values, 0, 101));
	assert.equal(folds.start.length, 2);
	for (let k = 0; k < folds.start.length; k++) {
		assert.ok(folds.end[k] > folds.start[k] + folds.kept);
		assert.ok(values.every((v) => v <= folds.start[k] || v >= folds.end[k]));
	}
	assert.equal(foldsBetween(Float64Array.from([1, 2, 3, 4]), 0, 5), null);
	assert.equal(foldsBetween(new Float64Array(0), 0, 5), null);
});

test("ticks are round and about as many as asked for", () => {
	assert.deepEqual(niceTicks(0, 60, 6, false).values, [0, 10, 20, 30, 40, 50, 60]);
	assert.deepEqual(niceTicks(17.2, 19.9, 10, true).values, [18, 19]);
	for (const span of [1e-3, 1, 37, 6e7, 3.6e9]) {
		const { values, step } = niceTicks(span / 3, span / 3 + span, 10, false);
		assert.ok(values.length >= 4 && values.length <= 11, `${span}: ${values.length}`);
		assert.ok(values.every((v) => v >= span / 3 - step / 1e6 && v <= span / 3 + span + step / 1e6));
	}
	assert.equal(timeLabel(12e6, 1e6), "12\u2009s");
	assert.equal(timeLabel(12345678, 1), "12.345678\u2009s");
	assert.equal(timeLabel(125e6, 5e6), "2:05");
	assert.equal(timeLabel(3725e6, 5e6), "1:02:05");
});

test("lines: all in sight, the involved ones taller, hidden ones gone", () => {
	const order = Array.from({ length: 100 }, (_, i) => 99 - i);
	const all = layoutRows({ order, hidden: [], folded: [], highlighted: [], involved: [], height: 600, wanted: 0 });
	assert.equal(all.list[0].machine, 99);
	assert.ok(Math.abs(all.height - 600) < 1e-6);
	const some = layoutRows({ order, hidden: [5], folded: [7], highlighted: [3], involved: [40, 41], height: 600, wanted: 0 });
	assert.equal(some.of[5], undefined);
	assert.ok(some.height <= 600 + 1e-6, "they still fit");
	assert.ok(/** @type {any} */ (some.of[40]).height > 20 && /** @type {any} */ (some.of[3]).height > 20 && /** @type {any} */ (some.of[10]).height < 7);
	assert.ok(/** @type {any} */ (some.of[7]).folded);
	const crowd = layoutRows({ order, hidden: [], folded: [], highlighted: [], involved: order.slice(0, 60), height: 600, wanted: 0 });
	assert.ok(crowd.height <= 600 + 1e-6, "even if many are involved");
	const tall = layoutRows({ order, hidden: [], folded: [], highlighted: [], involved: [], height: 600, wanted: 30 });
	assert.equal(tall.height, 3000);
	for (const rows of [all, some, tall]) {
		for (const row of rows.list) {
			assert.equal(rowAt(rows, row.y), row);
			assert.equal(rowAt(rows, row.top), row);
		}
		assert.equal(rowAt(rows, -50), rows.list[0]);
		assert.equal(rowAt(rows, 1e6), rows.list[rows.list.length - 1]);
	}
});

/** @param {import("../run.js").RunData} run @param {"time" | "clock"} name @param {number} from @param {number} to 0 … 1 of the axis */
function lookAt(run, name, from, to, width = 1000, height = 300) {
	const axis = createAxis(run, name);
	const whole = axis.to - axis.from;
	const scale = createScale(axis.from + from * whole, axis.from + to * whole, 100, width);
	const rows = layoutRows({ order: Array.from(run.ids, (_, i) => i), hidden: [], folded: [], highlighted: [], involved: [], height, wanted: 0 });
	return { run, axis, scale, rows, scroll: 0, height, shading: /** @type {import("./scene.js").Shading | null} */ (null) };
}

test("near: every event in sight has its mark, where it happened", () => {
	const run = randomRun({ machines: 3, events: 3000, seed: 2, rates: [1, 5, 4] });
	for (const name of /** @type {const} */ (["time", "clock"])) {
		const view = lookAt(run, name, 0.4, 0.42);
		const scene = buildScene(view, createScene());
		assert.equal(scene.bars.count, 0);
		const seen = new Set();
		for (let k = 0; k < scene.marks.count; k++) {
			const e = scene.marks.get(k, 2);
			seen.add(e);
			assert.equal(scene.rows[scene.marks.get(k, 0)].machine, run.machineOf[e]);
			assert.ok(Math.abs(scene.marks.get(k, 1) - view.scale.toPixel(view.axis.values[e])) < 1e-9);
			assert.equal(scene.marks.get(k, 3), run.kind[e]);
			assert.equal(scene.marks.get(k, 4), PLAIN);
		}
		for (let e = 0; e < run.total; e++) if (view.axis.values[e] >= view.scale.from && view.axis.values[e] <= view.scale.to) assert.ok(seen.has(e), `event ${e}`);
		assert.ok(seen.size > 10);
	}
});

test("in logical time no two events share a place and every message points on", () => {
	const run = randomRun({ machines: 7, events: 2000, seed: 5, latency: 300000 });
	const { values } = createAxis(run, "clock");
	assert.equal(new Set(values).size, run.total);
	for (let m = 0; m < run.messages.count; m++) {
		if (run.messages.receive[m] >= 0) assert.ok(values[run.messages.receive[m]] > values[run.messages.send[m]]);
	}
});

test("far: bars hold all events, each kind its share", () => {
	const run = randomRun({ machines: 3, events: 60000, seed: 3, rates: [100, 500, 400] });
	const view = lookAt(run, "time", 0, 1);
	const scene = buildScene(view, createScene());
	assert.equal(scene.marks.count, 0);
	assert.ok(scene.bars.count > 300 && scene.bars.count <= 3 * 1000);
	const counts = [0, 0, 0];
	for (let k = 0; k < scene.bars.count; k++) {
		const machine = scene.rows[scene.bars.get(k, 0)].machine;
		const [from, to] = [scene.bars.get(k, 1), scene.bars.get(k, 2)].map(view.scale.toValue);
		let [internal, send, receive] = [0, 0, 0];
		for (let e = run.offset[machine]; e < run.offset[machine + 1]; e++) {
			if (run.time[e] < from - 1e-3 || (run.time[e] >= to - 1e-3 && to < run.span.to - 1)) continue;
			if (run.kind[e] === SEND) send++;
			else if (run.kind[e] === RECEIVE) receive++;
			else internal++;
		}
		counts[machine] += internal + send + receive;
		const all = scene.bars.get(k, 3) + scene.bars.get(k, 4) + scene.bars.get(k, 5);
		assert.ok(all > 0 && all <= 1);
		assert.ok(Math.abs(scene.bars.get(k, 4) / all - send / (internal + send + receive)) < 1e-9);
		assert.ok(Math.abs(scene.bars.get(k, 5) / all - receive / (internal + send + receive)) < 1e-9);
	}
	counts.forEach((n, i) => assert.equal(n, run.offset[i + 1] - run.offset[i], `machine ${i}`));
});

test("a scene is bounded however far one looks from", () => {
	const run = randomRun({ machines: 40, events: 40000, seed: 8 });
	for (const size of [1, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0001]) {
		const scene = buildScene(lookAt(run, "time", 0.5 - size / 2, 0.5 + size / 2), createScene());
		assert.ok(scene.marks.count <= 2500 && scene.arrows.count <= 624 && scene.bars.count <= 40 * 1000, `${size}`);
		if (size <= 0.003) assert.ok(scene.bars.count === 0 || scene.marks.count > 0 || scene.events === 0);
	}
});

test("arrows: all of few, the same ones of many, and those that pass through apart", () => {
	const run = randomRun({ machines: 4, events: 20000, seed: 9, rates: [10, 50, 40, 30], latency: 400000 });
	const { arrows, values } = createAxis(run, "time");
	const random = randomFrom(4);
	const all = () => true;
	for (let trial = 0; trial < 60; trial++) {
		const from = random() * run.span.to;
		const to = from + random() ** 3 * run.span.to * 0.2;
		const expected = { ends: /** @type {number[]} */ ([]), through: /** @type {number[]} */ ([]) };
		for (let m = 0; m < run.messages.count; m++) {
			const receive = run.messages.receive[m];
			if (receive < 0) continue;
			const [a, b] = [values[run.messages.send[m]], values[receive]];
			if (a <= to && b >= from) (a < from && b > to ? expected.through : expected.ends).push(m);
		}
		for (const through of [false, true]) {
			const want = through ? expected.through : expected.ends;
			const exact = arrows.query(from, to, 1e6, through, all);
			assert.deepEqual([...exact.messages].sort((x, y) => x - y), want);
			assert.equal(exact.sparse, 1);
			const some = arrows.query(from, to, 50, through, all);
			assert.ok(some.messages.length <= 50);
			assert.ok(some.messages.every((m) => want.includes(m)));
			const fewer = arrows.query(from, to, 10, through, all);
			if (fewer.sparse >= some.sparse && want.length > 60) assert.ok(fewer.messages.every((m) => some.messages.includes(m) || some.messages.length === 50), "coarser is a part of finer");
			const none = arrows.query(from, to, 50, through, () => false);
			assert.deepEqual(none.messages, []);
		}
	}
});

test("what is lit is the cone", () => {
	const run = randomRun({ machines: 5, events: 400, seed: 4, latency: 300000 });
	const causal = createCausal(run);
	const random = randomFrom(2);
	for (let trial = 0; trial < 30; trial++) {
		const [a, b] = [Math.floor(random() * run.total), Math.floor(random() * run.total)];
		for (const chosen of [[a], [a, b]]) {
			if (chosen.length === 2 && a === b) continue;
			const shading = /** @type {import("./scene.js").Shading} */ (shadingOf(run, causal, chosen));
			const scene = buildScene({ ...lookAt(run, "time", 0.3, 0.5, 4000), shading }, createScene());
			for (let k = 0; k < scene.marks.count; k++) {
				const e = scene.marks.get(k, 2);
				const state = scene.marks.get(k, 4);
				if (chosen.length === 1) {
					const expected = causal.before(e, a) ? PAST : causal.before(a, e) ? FUTURE : CONCURRENT;
					assert.equal(state, expected, `${e} beside ${a}`);
				} else if (causal.before(a, b)) {
					assert.equal(state !== CONCURRENT, (e === a || causal.before(a, e)) && (e === b || causal.before(e, b)));
				} else if (!causal.before(b, a)) {
					assert.equal(state === PAST, causal.before(e, a) && causal.before(e, b));
					assert.equal(state === FUTURE, causal.before(a, e) && causal.before(b, e));
				}
			}
			for (let i = 0; i < run.machines; i++) {
				for (const part of litParts(run, shading, i)) assert.ok(part.from <= part.to && part.from >= run.offset[i] && part.to < run.offset[i + 1]);
			}
		}
	}
	assert.equal(shadingOf(run, causal, []), null);
});

test("an event moves as far as its causes let it, its effects give way, and nothing else moves", () => {
	const run = randomRun({ machines: 4, events: 300, seed: 12, latency: 300000 });
	const causal = createCausal(run);
	const random = randomFrom(3);
	const gap = 1000;
	for (let trial = 0; trial < 80; trial++) {
		const e = Math.floor(random() * run.total);
		const wanted = random() * run.span.to;
		const moved = moveEvent(run, run.time, new Map(), e, wanted, gap);
		const place = (/** @type {number} */ x) => moved.get(x) ?? run.time[x];
		for (const [x, value] of moved) {
			assert.ok(x === e || causal.before(e, x), "only effects give way");
			if (x !== e) assert.ok(value >= run.time[x], "and only onwards");
		}
		for (let x = 0; x < run.total; x++) for (const cause of causesOf(run, x)) assert.ok(place(cause) <= place(x), `${cause} stays before ${x}`);
		assert.ok(place(e) >= Math.min(wanted, run.time[e]));
		if (wanted >= run.time[e]) assert.equal(place(e), wanted);
		for (const effect of effectsOf(run, e)) assert.ok(causesOf(run, effect).includes(e));
		const back = moveEvent(run, run.time, moved, e, run.time[e], gap);
		assert.equal(back.get(e), run.time[e]);
	}
});

test("a pointer finds the event, the message and the span under it", () => {
	const run = randomRun({ machines: 3, events: 300, seed: 2, rates: [1, 5, 4] });
	run.head.spans = [{ kind: "pause", machines: [0], from: 0, to: run.span.to, text: "why" }];
	const view = lookAt(run, "time", 0.4, 0.5);
	const scene = buildScene(view, createScene());
	const span = { row: 0, x: 100, end: 1100, span: run.head.spans[0] };
	const frame = /** @type {import("./draw.js").Frame} */ (/** @type {unknown} */ ({ run, scene, scroll: 0, spans: [span], records: [] }));
	const hit = (/** @type {number} */ x, /** @type {number} */ y, moved = new Map()) => hitTest(frame, view.axis, view.scale, view.rows, moved, x, y, 9);
	for (let k = 0; k < scene.marks.count; k++) {
		const x = scene.marks.get(k, 1);
		if (x < 110 || x > 1090) continue;
		assert.equal(hit(x + 1, scene.rows[scene.marks.get(k, 0)].y - 1).event, scene.marks.get(k, 2));
	}
	let found = 0;
	for (let k = 0; k < scene.arrows.count; k++) {
		const [x, y, endX, endY] = [0, 1, 2, 3].map((c) => scene.arrows.get(k, c));
		if (endX - x > 200) continue;
		const middle = hit((x + endX) / 2, (y + endY) / 2);
		if (middle.message >= 0 && middle.event < 0) found++;
	}
	assert.ok(found > 0);
	assert.equal(hit(600, view.rows.list[0].y - 25).span?.text, "why");
	const e = scene.marks.get(0, 2);
	assert.equal(hit(900, scene.rows[scene.marks.get(0, 0)].y, new Map([[e, view.scale.toValue(900)]])).event, e, "an event is where it was moved to");
	assert.equal(toSegment(0, 5, -10, 0, 10, 0), 5);
	assert.equal(toSegment(13, 4, -10, 0, 10, 0), 5);
	assert.equal(positionOf(run, nearestEvent(run, view.axis, 1, -1e9)), 0);
});
