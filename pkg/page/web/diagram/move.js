import { RECEIVE } from "../run.js";

/**
 * Moving an event along its line, as far as happened-before allows. It may not come before what happened before it, and these
 * do not move; what happened after it gives way.
 *
 * @typedef {import("../run.js").RunData} RunData
 */

const mostPushed = 3000;

/**
 * @param {RunData} run @param {Float64Array} values @param {ReadonlyMap<number, number>} moved where events are that do not lie at their values
 * @param {number} e @param {number} wanted value
 * @param {number} gap that stays between a cause and its effect, if there was so much
 * @returns {Map<number, number>} where events are then; what was given, if too many would have to give way
 */
export function moveEvent(run, values, moved, e, wanted, gap) {
	const place = (/** @type {number} */ x) => moved.get(x) ?? values[x];
	let value = wanted;
	for (const cause of causesOf(run, e)) value = Math.max(value, place(cause) + Math.min(gap, Math.max(place(e) - place(cause), 0)));
	const result = new Map(moved);
	result.set(e, value);
	const now = (/** @type {number} */ x) => result.get(x) ?? values[x];
	const waiting = [e];
	for (let pushed = 0; waiting.length > 0; ) {
		const cause = /** @type {number} */ (waiting.pop());
		for (const effect of effectsOf(run, cause)) {
			const least = now(cause) + Math.min(gap, Math.max(place(effect) - place(cause), 0));
			if (now(effect) >= least) continue;
			if (++pushed > mostPushed) return new Map(moved);
			result.set(effect, least);
			waiting.push(effect);
		}
	}
	return result;
}

/**
 * The direct causes of an event: the event before it on its machine, and the send of the message that it receives.
 *
 * @param {RunData} run @param {number} e
 */
export function causesOf(run, e) {
	const causes = e > run.offset[run.machineOf[e]] ? [e - 1] : [];
	if (run.kind[e] === RECEIVE) {
		const send = run.receipts.send[run.receivesBefore[e]];
		if (send >= 0) causes.push(send);
	}
	return causes;
}

/** The direct effects of an event. @param {RunData} run @param {number} e */
export function effectsOf(run, e) {
	const effects = e + 1 < run.offset[run.machineOf[e] + 1] ? [e + 1] : [];
	for (let m = run.messagesBefore[e]; m < run.messagesBefore[e + 1]; m++) {
		if (run.messages.receive[m] >= 0) effects.push(run.messages.receive[m]);
	}
	return effects;
}
