package curvature_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/floats"

	"diaghess/gpu"
	"diaghess/kernels"
	"diaghess/layers"
	"diaghess/optim/curvature"
)

// The sums of a calibrated estimate are GNB's: of each tensor, over many steps at
// the same point, the average is the sum of the exact diagonal within 4 standard
// errors.
func TestCalibratedHasTheRightSize(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	for _, n := range networks() {
		t.Run(n.name, func(t *testing.T) {
			const steps = 2000 // 19 means of 100: of fewer the standard error is too rough
			b := newBench(t, n, curvature.Options{Kind: "calibrated", Every: 1, Samples: 1, Decay: 0.9}, steps)
			want := b.gaussNewton()
			sums := make([][]float64, len(b.network.Parameters))
			for range steps {
				e := b.estimate()
				for i, p := range b.network.Parameters {
					total := 0.0
					for _, v := range e[:p.Elements()] {
						total += v
					}
					sums[i], e = append(sums[i], total), e[p.Elements():]
				}
			}
			for i, p := range b.network.Parameters {
				exact := 0.0
				for _, v := range want[:p.Elements()] {
					exact += v
				}
				want = want[p.Elements():]
				mean, standardError := averaged(sums[i])
				if math.Abs(mean-exact) > 4*standardError {
					t.Errorf("%s: sum %.6g +- %.2g, want %.6g", p.Name, mean, standardError, exact)
				}
			}
		})
	}
}

// averaged is mean and standard error of a series that is an exponential average
// with decay 0.9 of independent draws, from batches of 100: far more than the
// average remembers.
func averaged(series []float64) (mean, standardError float64) {
	const batch = 100
	var means []float64
	for i := batch; i+batch <= len(series); i += batch { // the first begins at 0
		sum := 0.0
		for _, v := range series[i : i+batch] {
			sum += v
		}
		means = append(means, sum/batch)
		mean += sum / batch
	}
	mean /= float64(len(means))
	variance := 0.0
	for _, m := range means {
		variance += (m - mean) * (m - mean)
	}
	return mean, math.Sqrt(variance / float64(len(means)-1) / float64(len(means)))
}

// Estimate for estimate, calibrated is what its formula makes of the draws of gnb
// and the sweeps of hesscale, which have tests of their own.
func TestCalibratedFormula(t *testing.T) {
	for _, n := range networks() {
		for _, o := range []curvature.Options{
			{Every: 1, Samples: 1}, {Every: 2, Samples: 1, Decay: 0.8}, {Every: 1, Samples: 3, Decay: 0.8},
		} {
			t.Run(fmt.Sprintf("%s,samples=%d,decay=%g", n.name, o.Samples, o.Decay), func(t *testing.T) {
				const estimates = 4
				of := func(kind string, decay float64, samples int) *bench {
					o.Kind, o.Decay, o.Samples = kind, decay, samples
					return newBench(t, n, o, estimates*o.Every)
				}
				decay, samples := o.Decay, o.Samples
				gnb, hesscale, calibrated := of("gnb", 0, samples), of("hesscale", 0, 1), of("calibrated", decay, samples)
				var drawn, swept [][]float64
				for k := range estimates {
					drawn, swept = append(drawn, gnb.estimate()), append(swept, hesscale.estimate())
					got := calibrated.estimate()
					d, s := make([]float64, len(got)), make([]float64, len(got))
					var squares float64
					for i := range drawn {
						weight := math.Pow(decay, float64(k-i)) * (1 - decay) / (1 - math.Pow(decay, float64(k+1)))
						squares += weight * weight
						for j := range d {
							d[j] += weight * drawn[i][j]
							s[j] += weight * swept[i][j]
						}
					}
					want := shrunk(calibrated.network, d, s, float64(samples)/squares)
					at := 0
					for _, p := range calibrated.network.Parameters {
						largest := slices.Max(d[at:][:p.Elements()])
						for i := at; i < at+p.Elements(); i++ {
							// The averages have some dozen roundings in float32, and w
							// about ten times as many: of its sums of squares, which are
							// rounded too, no less than a tenth is left as sum (d - c)^2.
							// An error of w tells in h as a share of the tensor's larger
							// entries.
							if math.Abs(got[i]-want[i]) > 400.0/(1<<24)*(want[i]+0.1*largest) {
								t.Fatalf("estimate %d, %s: element %d: %.9g, want %.9g", k, p.Name, i-at, got[i], want[i])
							}
						}
						at += p.Elements()
					}
					for range o.Every - 1 { // steps without an estimate
						for _, b := range []*bench{gnb, hesscale, calibrated} {
							b.run(func(r *gpu.Recorder) { r.Record(&kernels.Advance{State: b.state, Rows: uint32(n.rows)}) })
						}
					}
				}
			})
		}
	}
}

// shrunk is the formula of calibrated.go in float64, of averages worth n draws.
func shrunk(network *layers.Network, d, s []float64, n float64) []float64 {
	h := make([]float64, len(d))
	at := 0
	for _, p := range network.Parameters {
		d, s, h := d[at:][:p.Elements()], s[at:][:p.Elements()], h[at:][:p.Elements()]
		at += p.Elements()
		ratio := floats.Sum(d) / floats.Sum(s)
		var squares, apart float64
		for i := range d {
			squares += d[i] * d[i]
			apart += (d[i] - ratio*s[i]) * (d[i] - ratio*s[i])
		}
		w := max(0, 1-2*squares/((n+2)*apart))
		for i := range d {
			h[i] = w*d[i] + (1-w)*ratio*s[i]
		}
	}
	return h
}

// Calibrated is closer to the exact diagonal than gnb with the same draws, whether those
// are few or many. Behind an activation, normalization has more to do with what HesScale drops: with
// many draws gnb is closer there.
func TestCalibratedIsCloser(t *testing.T) {
	for _, n := range networks()[:4] {
		for _, samples := range []int{1, 5, 20, 400} {
			errorOf := func(kind string) float64 {
				b := newBench(t, n, curvature.Options{Kind: kind, Every: 1, Samples: samples}, 1)
				want := b.gaussNewton()
				return floats.Distance(b.estimate(), want, 2) / floats.Norm(want, 2)
			}
			gnb, calibrated := errorOf("gnb"), errorOf("calibrated")
			t.Logf("%s: %d draws: gnb %.3f, calibrated %.3f", n.name, samples, gnb, calibrated)
			if !(calibrated < gnb) {
				t.Errorf("%s: %d draws: calibrated is off by %.3f, gnb by %.3f", n.name, samples, calibrated, gnb)
			}
		}
	}
}
