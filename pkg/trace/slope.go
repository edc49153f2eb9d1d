package trace

import "math"

// slope is a line through points by least squares. Sums of few points are taken by their
// distances from the first of these, and then put together, so that the small differences of
// large numbers are not lost (Chan, Golub, LeVeque, 1979).
type slope struct {
	n            float64
	meanX, meanY float64
	varX, covXY  float64

	// The points that are not in it yet, by their distances from x, y.
	few          int
	x            int64
	y            float64
	sumX, sumY   float64
	sumXX, sumXY float64

	// The last points, of one x, of which these do not have it yet.
	same    int
	sameX   int64
	sameSum float64 // of their y
}

// fewPoints is from how many points on that are summed up at once.
const fewPoints = 64

// add takes in a point. Points of one x that follow each other cost little.
func (s *slope) add(x, y int64) {
	if x != s.sameX {
		s.sum()
		s.sameX = x
	}
	s.same++
	s.sameSum += float64(y)
}

// sum adds the last points to the sums.
func (s *slope) sum() {
	if s.same == 0 {
		return
	}
	n := float64(s.same)
	if s.few == 0 {
		s.x, s.y = s.sameX, math.Round(s.sameSum/n)
	}
	dx, dy := float64(s.sameX-s.x), s.sameSum-n*s.y
	s.sumX += n * dx
	s.sumY += dy
	s.sumXX += n * dx * dx
	s.sumXY += dx * dy
	s.few += s.same
	s.same, s.sameSum = 0, 0
	if s.few >= fewPoints {
		s.join()
	}
}

// join puts the sums together.
func (s *slope) join() {
	if s.few == 0 {
		return
	}
	few := float64(s.few)
	meanX, meanY := float64(s.x)+s.sumX/few, s.y+s.sumY/few
	if s.n == 0 {
		s.meanX, s.meanY = meanX, meanY
	}
	n := s.n + few
	dx, dy := meanX-s.meanX, meanY-s.meanY
	s.varX += s.sumXX - s.sumX*s.sumX/few + dx*dx*s.n*few/n
	s.covXY += s.sumXY - s.sumX*s.sumY/few + dx*dy*s.n*few/n
	s.meanX += dx * few / n
	s.meanY += dy * few / n
	s.n = n
	s.few, s.sumX, s.sumY, s.sumXX, s.sumXY = 0, 0, 0, 0, 0
}

// value returns the slope, false where the points give none.
func (s *slope) value() (float64, bool) {
	s.sum()
	s.join()
	return s.covXY / s.varX, s.varX > 0
}
