/**
 * How many events there are where: for each machine the first event of each of 2ᵏ equal buckets of the axis. A bucket twice
 * as wide is two buckets, so one table serves every zoom, and since the buckets stand still, nothing flickers as
 * the view moves.
 *
 * @typedef {object} Density
 * @property {number} from
 * @property {number} to
 * @property {Int32Array[]} tables by machine: by bucket the first event that is in it or behind it; one more for the end
 * @property {number} peak events per unit of the axis of the machine that has most
 */

/**
 * @param {import("../run.js").RunData} run @param {Float64Array} values @param {number} from @param {number} to
 * @returns {Density}
 */
export function createDensity(run, values, from, to) {
	/** @type {Int32Array[]} */
	const tables = [];
	let peak = 0;
	for (let i = 0; i < run.machines; i++) {
		const first = run.offset[i];
		const end = run.offset[i + 1];
		const buckets = 2 ** Math.min(18, Math.max(6, Math.ceil(Math.log2((end - first) / 4 || 1))));
		const table = new Int32Array(buckets + 1);
		const perBucket = buckets / (to - from);
		let next = 0;
		for (let e = first; e < end; e++) {
			const bucket = Math.min(Math.floor((values[e] - from) * perBucket), buckets - 1);
			while (next <= bucket) table[next++] = e;
		}
		while (next <= buckets) table[next++] = end;
		tables.push(table);
		if (end - first > 1) peak = Math.max(peak, (end - first) / Math.max(values[end - 1] - values[first], (to - from) / 50));
	}
	return { from, to, tables, peak: peak || 1 };
}

/**
 * How many buckets of a machine to take together, so that they are as wide and as full as asked for; a power of 2.
 *
 * @param {Density} density @param {number} machine
 * @param {number} width of a bucket, at least, in units of the axis
 * @param {number} events that a bucket has on average, at least
 */
export function bucketsTogether(density, machine, width, events) {
	const table = density.tables[machine];
	const buckets = table.length - 1;
	const mean = (table[buckets] - table[0]) / buckets || 1;
	const each = (density.to - density.from) / buckets;
	const together = 2 ** Math.max(0, Math.ceil(Math.log2(Math.max(width / each, events / mean))));
	return Math.min(together, buckets);
}
