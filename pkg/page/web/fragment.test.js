import assert from "node:assert/strict";
import { test } from "node:test";

import { readFragment, writeFragment } from "./fragment.js";
import { createRun, SEND } from "./run.js";
import { createState, initialState } from "./state.js";
import { encode, generate, randomFrom } from "./testing/generate.js";

const made = encode(generate({ machines: 4, events: 200, seed: 6 }));
const run = createRun(made.head, made.bytes);
const runs = [run, run];
const send = run.kind.indexOf(SEND) - run.offset[run.machineOf[run.kind.indexOf(SEND)]];
const sender = run.machineOf[run.kind.indexOf(SEND)];

test("the page as it opens has no fragment", () => {
	assert.equal(writeFragment(initialState(runs), runs), "");
	assert.deepEqual(readFragment("", runs), initialState(runs));
});

test("a link restores everything exactly", () => {
	/** @type {import("./state.js").PageState} */
	const state = {
		...initialState(runs),
		view: { from: 1500000.125, to: 2500000, axis: "clock", clock: { from: 3, to: 17.5 } },
		selection: [{ run: 0, machine: 1, position: 3 }, { run: 1, machine: 2, position: 0 }],
		message: { run: 1, machine: sender, position: send, index: 0 },
		machines: { order: [3, 1, 0, 2], hidden: [1], folded: [2, 0], highlighted: [3] },
		quiet: true,
		rows: 24,
		cut: [1, 2, 3, 0],
		search: 'kind:send "a & b = 100%" #ü',
	};
	const fragment = writeFragment(state, runs);
	assert.match(fragment, /^[!-~]+$/, "it can stand in any text");
	assert.deepEqual(readFragment("#" + fragment, runs), state);
	assert.equal(writeFragment(readFragment(fragment, runs), runs), fragment);
});

test("what a fragment cannot mean is passed over", () => {
	for (const hostile of [
		"t=1", "t=5,5", "t=9,1", "t=NaN,1", "t=1e3,2e3", "t=-99999999999999999999,1", "t=,", "a=0.0", "a=9.0.0", "a=0.9.0", "a=0.0.99999", "a=0.-1.0", "b=0.0.1",
		"a=constructor.0.0", "m=0.0.0.99", "m=0.0.0", "m=....", "order=1,1,1,1", "order=0,1,2", "order=0,1,2,9", "hide=99", "hide=0,1,2,3", "fold=-1", "cut=1,2", "cut=a,b,c,d",
		"q=%", "q=%E0%A4%A", "x=javascript:alert(1)", "rows=<b>", "rows=-5", "rows=0", "__proto__=1", "=1", "&&&", "%", "\u0000", "quiet=2", "constructor=1",
	]) {
		assert.deepEqual(readFragment(hostile, runs), initialState(runs), hostile);
	}
	assert.deepEqual(readFragment("cut=999999,0,0,0", runs).cut, [run.offset[1], 0, 0, 0], "a cut ends with the run");
	assert.equal(readFragment("q=" + "x".repeat(5000), runs).search.length, 1000);
	assert.equal(writeFragment({ ...initialState(runs), search: "x\ud800" }, runs), "q=x%EF%BF%BD", "half a character has no code");
	assert.equal(readFragment("q=<img src=x>", runs).search, "<img src=x>", "text stays text");
	const wide = readFragment("t=-99999999999999999,99999999999999999", runs).view;
	assert.ok(wide.to - wide.from <= 3 * (run.span.to - run.span.from), "a view is not far from the run");
});

test("any bytes make a state that can be shown", () => {
	const random = randomFrom(8);
	const pieces = ["t=", "l=", "a=", "b=", "m=", "cut=", "order=", "hide=", "fold=", "mark=", "q=", "x=clock", "&", ",", ".", "-", "0", "1", "2", "3", "17", "%", "9".repeat(20), "é"];
	for (let trial = 0; trial < 3000; trial++) {
		const text = Array.from({ length: Math.floor(random() * 14) }, () => pieces[Math.floor(random() * pieces.length)]).join("");
		const state = readFragment(text, runs);
		assert.ok(state.view.to > state.view.from && state.view.clock.to > state.view.clock.from, text);
		assert.deepEqual([...state.machines.order].sort(), [0, 1, 2, 3], text);
		assert.ok(state.machines.hidden.length < 4, text);
		assert.deepEqual(readFragment(writeFragment(state, runs), runs), state, text);
	}
});

test("a state tells of what changed, and of nothing else", () => {
	const state = createState(runs);
	/** @type {string[][]} */
	const heard = [];
	const end = state.subscribe((changed) => heard.push([...changed]));
	state.set({ cursor: 5, search: "" });
	state.set({ cursor: 5 });
	state.set({ selection: [], machines: { ...state.get().machines } });
	state.set({ selection: [{ run: 0, machine: 0, position: 0 }], cursor: null });
	end();
	state.set({ cursor: 7 });
	assert.deepEqual(heard, [["cursor"], ["selection", "cursor"]]);
});
