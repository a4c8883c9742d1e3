package stats

import "testing"

// SciPy 1.17.1: binomtest(onlyX, onlyX + onlyY).pvalue.
func TestFailuresKnownAnswers(t *testing.T) {
	for _, c := range []struct {
		onlyX, onlyY int
		p            float64
	}{{0, 0, 1}, {1, 0, 1}, {6, 0, 0.03125}, {0, 5, 0.0625}, {5, 1, 0.21875}, {2, 9, 0.0654296875}, {3, 3, 1}, {40, 22, 0.030015864349067285}} {
		x, y := []bool{true, false}, []bool{true, false} // both, and neither
		for range c.onlyX {
			x, y = append(x, true), append(y, false)
		}
		for range c.onlyY {
			x, y = append(x, false), append(y, true)
		}
		got := Failures(x, y)
		within(t, "p", got.P, c.p, 1e-12)
		if got.P = c.p; got != (FailuresResult{2 + c.onlyX + c.onlyY, c.onlyX, c.onlyY, 1, c.p}) {
			t.Errorf("%+v", got)
		}
	}
	near(t, "rate of 10", UnseenFailureRate(10, 0.95), 0.2588655508930523) // 1 − 0.05^(1/10)
	near(t, "rate of 20", UnseenFailureRate(20, 0.95), 0.13910834066826516)
	mustPanic(t, "lengths", func() { Failures(make([]bool, 2), nil) })
	mustPanic(t, "no runs", func() { UnseenFailureRate(0, 0.95) })
}
