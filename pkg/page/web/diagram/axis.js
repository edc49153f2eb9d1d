import { RECEIVE, SEND } from "../run.js";
import { createArrowIndex } from "./arrows.js";
import { createDensity } from "./density.js";
import { foldsBetween } from "./scale.js";

/**
 * What x is: the wall clock, or the total order of (clock, machine), with the machine as the fraction of the clock: both
 * ascend along each machine, and the second along each message too. Beside it stands what is made once for it.
 *
 * @typedef {object} Axis
 * @property {"time" | "clock"} name
 * @property {Float64Array} values by event
 * @property {number} from the least of the whole run
 * @property {number} to
 * @property {import("./density.js").Density} density
 * @property {import("./arrows.js").ArrowIndex} arrows
 * @property {(hidden: number[]) => import("./scale.js").Folds | null} folds stretches without messages
 */

/**
 * @param {import("../run.js").RunData} run
 * @param {"time" | "clock"} name
 * @returns {Axis}
 */
export function createAxis(run, name) {
	const values = name === "time" ? run.time : totalOrder(run);
	const { from, to } = name === "time" ? run.span : run.clocks;
	let foldsFor = "-";
	/** @type {import("./scale.js").Folds | null} */
	let folds = null;
	return {
		name, values, from, to,
		density: createDensity(run, values, from, to),
		arrows: createArrowIndex(run, values),
		folds(hidden) {
			if (hidden.join() !== foldsFor) {
				foldsFor = hidden.join();
				folds = foldsBetween(messageValues(run, values, new Set(hidden)), from, to);
			}
			return folds;
		},
	};
}

/** Clock and machine in one number. @param {import("../run.js").RunData} run */
function totalOrder(run) {
	const values = new Float64Array(run.total);
	for (let i = 0; i < run.machines; i++) {
		let greatest = -Infinity;
		for (let e = run.offset[i]; e < run.offset[i + 1]; e++) {
			// In a broken run a clock may go back; the line does not.
			if (run.clock[e] > greatest) greatest = run.clock[e];
			values[e] = greatest + i / run.machines;
		}
	}
	return values;
}

/** Where messages are sent and received. @param {import("../run.js").RunData} run @param {Float64Array} values @param {Set<number>} hidden */
function messageValues(run, values, hidden) {
	const found = [];
	for (let e = 0; e < run.total; e++) {
		if ((run.kind[e] === SEND || run.kind[e] === RECEIVE) && !hidden.has(run.machineOf[e])) found.push(values[e]);
	}
	return Float64Array.from(found).sort();
}
