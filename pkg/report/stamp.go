package report

import "time"

// stamp formats times, which mostly are of the same second as the one before.
type stamp struct {
	second int64
	prefix []byte // "2006-01-02T15:04:05." of that second
}

func (t *stamp) append(b []byte, micro int64) []byte {
	second, fraction := micro/1e6, micro%1e6
	if fraction < 0 {
		second, fraction = second-1, fraction+1e6
	}
	if second != t.second || t.prefix == nil {
		t.second = second
		t.prefix = time.Unix(second, 0).UTC().AppendFormat(t.prefix[:0], "2006-01-02T15:04:05.")
	}
	b = append(b, t.prefix...)
	for digit := int64(1e5); digit > 0; digit /= 10 {
		b = append(b, byte('0'+fraction/digit%10))
	}
	return append(b, 'Z')
}
