/** From the text in the page to columns of numbers. */

/**
 * Base64 of gzip, as it stands in the page, to bytes.
 *
 * @param {string} text
 * @returns {Promise<Uint8Array>}
 */
export async function inflate(text) {
	const packed = fromBase64(text.trim());
	if (packed.length === 0) return packed;
	const stream = new Blob([/** @type {BlobPart} */ (packed)]).stream().pipeThrough(new DecompressionStream("gzip"));
	return new Uint8Array(await new Response(stream).arrayBuffer());
}

/**
 * @param {string} text
 * @returns {Uint8Array}
 */
function fromBase64(text) {
	const native = /** @type {{fromBase64?: (text: string) => Uint8Array}} */ (/** @type {unknown} */ (Uint8Array));
	if (native.fromBase64) return native.fromBase64(text);
	const characters = atob(text);
	const bytes = new Uint8Array(characters.length);
	for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i);
	return bytes;
}

/**
 * Reads LEB128 varints. Numbers up to 2⁵³ are exact; larger ones are rounded as floating point does.
 *
 * @param {Uint8Array} bytes
 * @param {number} from where the first one begins
 * @param {number} length bytes of all of them
 * @param {number} count how many there are
 * @param {boolean} signed zigzag: 0, −1, 1, −2, … are 0, 1, 2, 3, …
 * @returns {Float64Array}
 * @throws {RangeError} if the bytes are not `count` varints
 */
export function readVarints(bytes, from, length, count, signed) {
	const end = from + length;
	if (!(from >= 0) || !(length >= 0) || end > bytes.length || !(count >= 0) || count > length) {
		throw new RangeError(`${count} numbers in ${length} bytes at ${from} of ${bytes.length}`);
	}
	const values = new Float64Array(count);
	let at = from;
	for (let i = 0; i < count; i++) {
		let byte = bytes[at++];
		let value = byte & 0x7f;
		let shift = 128; // beyond 28 bits the bit operators would cut the number off
		while (byte >= 0x80) {
			if (at >= end) throw new RangeError(`number ${i} of ${count} at ${from} breaks off`);
			byte = bytes[at++];
			value += (byte & 0x7f) * shift;
			shift *= 128;
		}
		if (signed) value = value % 2 === 0 ? value / 2 : -(value + 1) / 2;
		values[i] = value;
		if (at > end) throw new RangeError(`number ${i} of ${count} at ${from} is behind the end`);
	}
	if (at !== end) throw new RangeError(`${end - at} bytes behind ${count} numbers at ${from}`);
	return values;
}
