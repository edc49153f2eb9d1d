import { instantsOnLine, placeInLine, valueOnLine } from "./series.js";

/** @typedef {import("./series.js").Line} Line */

/** The scale of values that the charts of one kind share: it fits what is in view. */
export class ValueScale {
	/**
	 * @param {number} least that the axis spans
	 * @param {Line[]} lines
	 * @param {Line[]} straight
	 */
	constructor(least, lines, straight) {
		this.least = least;
		this.lines = lines;
		this.straight = straight;
		this.of = "";
		/** @type {[number, number]} */
		this.range = [0, 1];
	}

	/**
	 * From the least to the greatest value in a span of time, or from 0 on, unless that is far.
	 *
	 * @param {{from: number, to: number}} view
	 * @returns {[number, number]}
	 */
	fit({ from, to }) {
		if (this.of === `${from} ${to}`) return this.range;
		this.of = `${from} ${to}`;
		let [low, high] = [Infinity, -Infinity];
		for (const line of this.lines) {
			const last = placeInLine(line, to);
			for (let k = placeInLine(line, from); k <= last; k++) {
				if (line.low[k] < low) low = line.low[k];
				if (line.high[k] > high) high = line.high[k];
			}
		}
		for (const line of this.straight) {
			for (const at of instantsOnLine(line, from, to)) {
				const value = valueOnLine(line, at);
				low = Math.min(low, value);
				high = Math.max(high, value);
			}
		}
		if (low > 0 && low < 0.6 * high) low = 0;
		if (low >= 0 && high - low < this.least) low = Math.max(0, low - this.least / 2);
		high = Math.max(high, low + this.least);
		const room = (high - low) * 0.04;
		return this.range = [low === 0 ? 0 : low - room, high + room];
	}
}
