import assert from "node:assert/strict";
import test from "node:test";
import { ValueScale } from "./valuescale.js";

/**
 * @param {number[]} low
 * @param {number[]} [high]
 */
const line = (low, high = low) => ({ machine: 0, t0: 0, dt: 10, low: Float64Array.from(low), high: Float64Array.from(high) });

test("the scale fits what is in view, and reaches down to 0 unless that is far", () => {
	const scale = new ValueScale(1, [line([0, 100, 100, 200], [50, 100, 110, 300]), line([5, 100, 104, 6])], []);
	assert.deepEqual(scale.fit({ from: 0, to: 39 }), [0, 312]);
	assert.deepEqual(scale.fit({ from: 10, to: 29 }), [99.6, 110.4]);
	assert.deepEqual(scale.fit({ from: 0, to: 9 }), [0, 52]);
});

test("it spans at least something, around what does not change", () => {
	assert.deepEqual(new ValueScale(1, [line([0, 0])], []).fit({ from: 0, to: 19 }), [0, 1.04]);
	const [low, high] = new ValueScale(2, [line([7, 7])], []).fit({ from: 0, to: 19 });
	assert.ok(low < 7 && high > 7, `${low} to ${high}`);
});

test("straight lines count with what they are in the view", () => {
	assert.deepEqual(new ValueScale(1, [line([0, 0])], [{ ...line([0, 50]), dt: 20 }]).fit({ from: 0, to: 20 }), [0, 52]);
	assert.deepEqual(new ValueScale(1, [line([0, 0])], [{ ...line([0, 50, 0]), dt: 20 }]).fit({ from: 0, to: 40 }), [0, 52]);
});
