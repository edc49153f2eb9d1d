import { createRun } from "../run.js";
import { encode, generate } from "./generate.js";

/** A random run, ready to be looked at. @param {Parameters<typeof generate>[0]} options @param {number} [every] events between checkpoints */
export function randomRun(options, every = 32) {
	const { head, bytes } = encode(generate(options), every);
	return createRun(head, bytes);
}
