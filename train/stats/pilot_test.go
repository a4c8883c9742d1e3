package stats

import (
	"errors"
	"testing"
)

// SciPy 1.17.1, NumPy 2.4.6: ttest_rel(x, y), and with d = x - y, m = mean(d), se = std(d, ddof=1) / sqrt(7)
// and t = scipy.stats.t of 6 degrees of freedom:
//
//	D                  (mean(x) - mean(y)) / sqrt((6 var(x, ddof=1) + 6 var(y, ddof=1)) / 12)
//	NonInferiority     t.cdf((m - .02) / se), which is the pilot's formula
//	OwnNonInferiority  of an accuracy t.sf((m + .02) / se)
//	Equivalence        max(t.sf((m + .02) / se), t.cdf((m - .02) / se))
//
// The accuracy of x is lower, by less than the margin. The loss of x is lower by more than that.
func TestPilotKnownAnswers(t *testing.T) {
	for _, c := range []struct {
		name      string
		x, y      []float64
		direction Direction
		want      PilotResult
	}{
		{
			"accuracy", []float64{0.9712, 0.9698, 0.9731, 0.9704, 0.9689, 0.9725, 0.9718}, []float64{0.9741, 0.9733, 0.9719, 0.9752, 0.9738, 0.9744, 0.9729}, HigherIsBetter,
			PilotResult{PairedTResult{MeanDifference: -0.002557142857142861, T: -3.1208800991015373, P: 0.02056185685960129}, -1.9604155118875575, 7.593573831398087e-08, 3.502988459754756e-07, 3.502988459754756e-07},
		},
		{
			"loss", []float64{0.1102, 0.1187, 0.1041, 0.1153, 0.1216, 0.1068, 0.1095}, []float64{0.1351, 0.1294, 0.1402, 0.1266, 0.1318, 0.1377, 0.1425}, LowerIsBetter,
			PilotResult{PairedTResult{MeanDifference: -0.022442857142857132, T: -5.183031064262374, P: 0.0020482964564526506}, -3.6709214769483585, 3.245637455033651e-05, 3.245637455033651e-05, 0.703454953632015},
		},
	} {
		got, err := Pilot(c.x, c.y, c.direction)
		if err != nil {
			t.Fatal(err)
		}
		near(t, c.name+" difference", got.MeanDifference, c.want.MeanDifference)
		near(t, c.name+" t", got.T, c.want.T)
		near(t, c.name+" p", got.P, c.want.P)
		near(t, c.name+" d", got.D, c.want.D)
		near(t, c.name+" non-inferiority", got.NonInferiority, c.want.NonInferiority)
		near(t, c.name+" non-inferiority in its own direction", got.OwnNonInferiority, c.want.OwnNonInferiority)
		near(t, c.name+" equivalence", got.Equivalence, c.want.Equivalence)
	}
	if _, err := Pilot([]float64{1, 2, 3}, []float64{2, 3, 4}, LowerIsBetter); !errors.Is(err, ErrNoSpread) {
		t.Errorf("equal differences: %v", err)
	}
}

// Of an accuracy that is far lower, the pilot's p says that x is not inferior.
func TestPilotTestsTheWrongSide(t *testing.T) {
	got, err := Pilot([]float64{0.50, 0.52, 0.51, 0.49}, []float64{0.90, 0.91, 0.92, 0.90}, HigherIsBetter)
	if err != nil || got.NonInferiority > 0.001 || got.OwnNonInferiority < 0.999 {
		t.Errorf("%+v, %v", got, err)
	}
}
