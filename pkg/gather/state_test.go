package gather

import (
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
)

// What a delivery does next is a function of where it is and what it is answered.
func TestState(t *testing.T) {
	broken := errors.New("connection reset")
	at := func(next step) state { return state{next: next, size: 100, place: logPlace, offset: 40} }
	with := func(s state, change func(*state)) state {
		change(&s)
		return s
	}
	isForgotten := func(s *state) { s.forgotten = true }
	isOther := func(s *state) { s.place = otherPlace }
	for _, tt := range []struct {
		name string
		from state
		a    answer
		want step
		also func(t *testing.T, s state)
	}{
		{"begins with its name", at(introduce), answer{status: 204}, look, nil},
		{"again after a wait", at(wait), answer{status: 204}, look, nil},
		{"goes on from where it was", at(look), answer{status: 200, offset: 70}, send, func(t *testing.T, s state) { assert.EqualValues(t, 70, s.offset) }},
		{"has less than is there", at(look), answer{status: 200, offset: 170}, send, func(t *testing.T, s state) { assert.EqualValues(t, 100, s.offset) }},
		{"is answered by something else", at(look), answer{status: 200, offset: -1}, giveUp, nil},
		{"is there", at(send), answer{status: 204}, done, nil},
		{"nobody is there", at(introduce), answer{broken: broken}, wait, func(t *testing.T, s state) { assert.Equal(t, broken, s.err) }},
		{"breaks", with(at(send), isForgotten), answer{broken: broken}, wait, func(t *testing.T, s state) { assert.False(t, s.forgotten) }},
		{"is too slow", at(send), answer{status: http.StatusRequestTimeout}, wait, nil},
		{"finds a proxy without its server", at(introduce), answer{status: http.StatusBadGateway}, wait, nil},
		{"finds a full disk", at(send), answer{status: http.StatusInsufficientStorage}, wait, nil},
		{"is overtaken", at(send), answer{status: http.StatusConflict}, look, nil},
		{"does not go on from what is there", at(send), answer{status: http.StatusPreconditionFailed}, forget, nil},
		{"has what was not proven forgotten", at(forget), answer{status: 204}, look, func(t *testing.T, s state) { assert.True(t, s.forgotten) }},
		{"is another log", with(at(send), isForgotten), answer{status: http.StatusPreconditionFailed}, look, func(t *testing.T, s state) {
			assert.Equal(t, otherPlace, s.place)
			assert.False(t, s.forgotten)
		}},
		{"is a third", with(with(at(send), isForgotten), isOther), answer{status: http.StatusPreconditionFailed}, giveUp, func(t *testing.T, s state) { assert.ErrorIs(t, s.err, ErrOther) }},
		{"arrives as something else", at(send), answer{status: http.StatusBadRequest}, forget, func(t *testing.T, s state) { assert.Equal(t, 1, s.corrupted) }},
		{"arrives as something else each time", with(at(send), func(s *state) { s.corrupted = maxCorrupted }), answer{status: http.StatusBadRequest}, giveUp, nil},
		{"is too long", at(send), answer{status: http.StatusRequestEntityTooLarge}, giveUp, nil},
		{"is of another run", at(introduce), answer{status: http.StatusNotFound, text: "not here"}, giveUp, func(t *testing.T, s state) {
			var refused *RefusedError
			assert.ErrorAs(t, s.err, &refused)
			assert.Equal(t, "not here", refused.Reason)
		}},
		{"is sent elsewhere", at(introduce), answer{status: http.StatusFound}, giveUp, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := tt.from.after(tt.a)
			assert.Equal(t, tt.want, s.next)
			if tt.also != nil {
				tt.also(t, s)
			}
		})
	}
}
