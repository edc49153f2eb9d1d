/** Numbers for people. */

const thin = "\u2009"; // between a number and its unit, and between groups of three digits

/**
 * A number with about three significant digits; large ones in full, in groups of three digits.
 *
 * @param {number} x
 */
export function formatNumber(x) {
	if (!Number.isFinite(x)) return "–";
	const size = Math.abs(x);
	if (size >= 1000 || Number.isInteger(x)) return formatCount(Math.round(x));
	const digits = size >= 100 ? 0 : size >= 10 ? 1 : size >= 0.01 || size === 0 ? 2 : 4;
	const text = x.toFixed(digits);
	return (text.includes(".") ? text.replace(/0+$/, "").replace(/\.$/, "") : text).replace("-", "−");
}

/**
 * A whole number, with its digits in groups of three from 10,000 on.
 *
 * @param {number} n
 */
export function formatCount(n) {
	const digits = String(Math.abs(n));
	const grouped = digits.length > 4 && !digits.includes("e") ? digits.replace(/\B(?=(\d{3})+$)/g, thin) : digits;
	return n < 0 ? "−" + grouped : grouped;
}

/**
 * A duration, in the unit that fits it: "64 µs", "1.23 ms", "12.5 s", "3 min 20 s", "2 h 5 min".
 *
 * @param {number} micros microseconds
 * @returns {string}
 */
export function formatDuration(micros) {
	if (!Number.isFinite(micros)) return "–";
	if (micros < 0) return "−" + formatDuration(-micros);
	if (micros < 1000) return formatNumber(micros) + thin + "µs";
	if (micros < 1e6) return formatNumber(micros / 1000) + thin + "ms";
	if (micros < 60e6) return formatNumber(micros / 1e6) + thin + "s";
	const seconds = Math.round(micros / 1e6);
	const parts = /** @type {[number, string][]} */ ([
		[Math.floor(seconds / 3600), "h"],
		[Math.floor(seconds / 60) % 60, "min"],
		[seconds % 60, "s"],
	]).filter(([n]) => n > 0);
	return parts.slice(0, 2).map(([n, unit]) => n + thin + unit).join(" ");
}

/**
 * "1 event", "2 events".
 *
 * @param {number} n
 * @param {string} one
 * @param {string} [many]
 */
export function formatPlural(n, one, many = one + "s") {
	return `${formatCount(n)} ${n === 1 ? one : many}`;
}
