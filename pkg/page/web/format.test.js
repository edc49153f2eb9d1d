import assert from "node:assert/strict";
import test from "node:test";
import { formatCount, formatDuration, formatNumber, formatPlural } from "./format.js";

/** @param {string} text with spaces of the usual width */
const plain = (text) => text.replace(/\u2009/g, " ");

test("numbers for people", () => {
	for (const [x, want] of /** @type {[number, string][]} */ ([
		[0, "0"], [1, "1"], [0.5, "0.5"], [0.004567, "0.0046"], [1.005, "1"], [12.34, "12.3"], [123.4, "123"], [9999, "9999"], [10000, "10 000"], [1234567.8, "1 234 568"],
		[-0.25, "−0.25"], [-12345, "−12 345"], [NaN, "–"], [Infinity, "–"],
	])) assert.equal(plain(formatNumber(x)), want, String(x));
});

test("counts are never written with an exponent between their digits", () => {
	assert.equal(plain(formatCount(2 ** 53)), "9 007 199 254 740 992");
	assert.equal(formatCount(1e21), "1e+21");
	assert.equal(formatPlural(1, "event"), "1 event");
	assert.equal(formatPlural(0, "event"), "0 events");
	assert.equal(formatPlural(2, "process", "processes"), "2 processes");
});

test("durations", () => {
	for (const [micros, want] of /** @type {[number, string][]} */ ([
		[0, "0 µs"], [64, "64 µs"], [999, "999 µs"], [1230, "1.23 ms"], [12.5e6, "12.5 s"], [59.99e6, "60 s"], [60e6, "1 min"], [200e6, "3 min 20 s"],
		[3600e6, "1 h"], [7500e6, "2 h 5 min"], [90061e6, "25 h 1 min"], [-1500, "−1.5 ms"], [NaN, "–"],
	])) assert.equal(plain(formatDuration(micros)), want, String(micros));
});
