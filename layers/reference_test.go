package layers_test

import (
	"math"

	"diaghess/layers"
)

// reference is a network as a plain float64 program, written from the docs of
// Conv, Dense and Epilogue: one loop nest a layer, no fusion, no gradient. It
// is what the recorded programs are held against.
type reference struct {
	input      layers.Shape
	chain      []layers.Layer
	batch      int
	x          []float64 // [batch, height, width, channels]
	labels     []int32
	smoothing  float64
	training   bool
	parameters map[string][]float64
	moving     map[string][]float64 // moving means and variances
	masks      [][]uint8            // of the layers with dropout, in order
}

// outcome is what a forward pass of the reference finds.
type outcome struct {
	loss   float64
	logits []float64 // [batch, classes]
	// decisions are the kinks: for each LeakyReLU whether its input is
	// positive, for each pooling window the winner. While they stay the same,
	// the loss is a smooth function of the parameters.
	decisions []uint8
	// margin is how far the closest decision is from falling the other way.
	margin float64
	// mean and variance are each normalization's statistics of the batch, the
	// variance biased, by the name of its layer; rows is how many values each
	// is taken over.
	mean, variance map[string][]float64
	rows           map[string]int
}

// activation is a tensor between two layers.
type activation struct {
	layers.Shape
	values []float64 // [batch, height, width, channels]
}

func (m *reference) forward() *outcome {
	out := &outcome{
		margin: math.Inf(1),
		mean:   map[string][]float64{}, variance: map[string][]float64{}, rows: map[string]int{},
	}
	a := activation{m.input, m.x}
	masks := m.masks
	for _, l := range m.chain {
		switch l := l.(type) {
		case layers.Conv:
			a = m.convolve(a, m.parameters[l.Name+"/kernel"], l.Kernel, l.Filters)
		case layers.Dense:
			a.Shape = layers.Shape{Height: 1, Width: 1, Channels: a.Elements()}
			a = m.convolve(a, m.parameters[l.Name+"/kernel"], 1, l.Units)
		case layers.Epilogue:
			a = m.normalize(l, a, out)
			a = m.activate(l, a, out)
			if l.Pool {
				a = m.pool(a, out)
			}
			if l.Dropout > 0 {
				if m.training {
					a = dropout(l, a, masks[0])
				}
				masks = masks[1:]
			}
		}
	}
	out.logits = a.values
	out.loss = m.crossEntropy(a)
	return out
}

// convolve is y[b, h, w, o] = sum over kh, kw, i of x[b, h + kh - r, w + kw - r, i]
// kernel[kh, kw, i, o], x zero outside, r the radius of the filter.
func (m *reference) convolve(x activation, kernel []float64, extent, filters int) activation {
	y := activation{x.Shape, make([]float64, m.batch*x.Height*x.Width*filters)}
	y.Channels = filters
	radius := extent / 2
	for b := range m.batch {
		for h := range x.Height {
			for w := range x.Width {
				out := y.values[((b*x.Height+h)*x.Width+w)*filters:][:filters]
				for kh := range extent {
					for kw := range extent {
						ih, iw := h+kh-radius, w+kw-radius
						if ih < 0 || ih >= x.Height || iw < 0 || iw >= x.Width {
							continue
						}
						for i := range x.Channels {
							v := x.values[((b*x.Height+ih)*x.Width+iw)*x.Channels+i]
							for o := range filters {
								out[o] += v * kernel[((kh*extent+kw)*x.Channels+i)*filters+o]
							}
						}
					}
				}
			}
		}
	}
	return y
}

// normalize is batch normalization, or the bias where there is none.
func (m *reference) normalize(l layers.Epilogue, y activation, out *outcome) activation {
	z := activation{y.Shape, make([]float64, len(y.values))}
	channels := y.Channels
	rows := len(y.values) / channels
	if !l.BatchNorm {
		bias := m.parameters[l.Name+"/bias"]
		for i, v := range y.values {
			z.values[i] = v + bias[i%channels]
		}
		return z
	}
	mean, variance := make([]float64, channels), make([]float64, channels)
	if m.training {
		for i, v := range y.values {
			mean[i%channels] += v / float64(rows)
		}
		for i, v := range y.values {
			d := v - mean[i%channels]
			variance[i%channels] += d * d / float64(rows)
		}
		out.mean[l.Name], out.variance[l.Name], out.rows[l.Name] = mean, variance, rows
	} else {
		mean, variance = m.moving[l.Name+"/moving_mean"], m.moving[l.Name+"/moving_variance"]
	}
	gamma, beta := m.parameters[l.Name+"/gamma"], m.parameters[l.Name+"/beta"]
	for i, v := range y.values {
		c := i % channels
		z.values[i] = gamma[c]*(v-mean[c])/math.Sqrt(variance[c]+1e-3) + beta[c]
	}
	return z
}

// activate is LeakyReLU.
func (m *reference) activate(l layers.Epilogue, z activation, out *outcome) activation {
	if l.Slope == 1 {
		return z
	}
	a := activation{z.Shape, make([]float64, len(z.values))}
	for i, v := range z.values {
		out.margin = min(out.margin, math.Abs(v))
		if v > 0 {
			a.values[i] = v
			out.decisions = append(out.decisions, 1)
		} else {
			a.values[i] = float64(l.Slope) * v
			out.decisions = append(out.decisions, 0)
		}
	}
	return a
}

// pool takes the largest of each 2x2 window; a window over the end has fewer
// elements.
func (m *reference) pool(a activation, out *outcome) activation {
	p := activation{Shape: a.Shape}
	p.Height, p.Width = (a.Height+1)/2, (a.Width+1)/2
	for b := range m.batch {
		for h := range p.Height {
			for w := range p.Width {
				for c := range a.Channels {
					best, second, winner := math.Inf(-1), math.Inf(-1), 0
					for k := range 4 {
						ih, iw := 2*h+k/2, 2*w+k%2
						if ih >= a.Height || iw >= a.Width {
							continue
						}
						v := a.values[((b*a.Height+ih)*a.Width+iw)*a.Channels+c]
						if v > best {
							best, second, winner = v, best, k
						} else {
							second = max(second, v)
						}
					}
					// Behind ReLU a window of zeros is a tie without a kink: no
					// gradient passes, whoever wins.
					if best != 0 {
						out.margin = min(out.margin, best-second)
					}
					out.decisions = append(out.decisions, uint8(winner))
					p.values = append(p.values, best)
				}
			}
		}
	}
	return p
}

func dropout(l layers.Epilogue, a activation, mask []uint8) activation {
	d := activation{a.Shape, make([]float64, len(a.values))}
	for i, v := range a.values {
		if mask[i] == 1 {
			d.values[i] = v / (1 - float64(l.Dropout))
		}
	}
	return d
}

// crossEntropy is the mean over the batch of -sum t log softmax(logits), with
// targets t smoothed.
func (m *reference) crossEntropy(logits activation) float64 {
	classes := logits.Elements()
	loss := 0.0
	for b := range m.batch {
		row := logits.values[b*classes:][:classes]
		sum := 0.0
		for _, v := range row {
			sum += math.Exp(v)
		}
		for c, v := range row {
			target := m.smoothing / float64(classes)
			if c == int(m.labels[b]) {
				target += 1 - m.smoothing
			}
			loss -= target * (v - math.Log(sum)) / float64(m.batch)
		}
	}
	return loss
}
