package exact

import (
	"math"

	"diaghess/layers"
)

// epilogue is a layers.Epilogue of a network.
type epilogue struct {
	layers.Epilogue
	in, out                    layers.Shape
	gamma, beta                *Tensor // gamma is nil without normalization; beta is its bias then
	movingMean, movingVariance *Tensor // nil without normalization
}

// epilogue declares the layer for an input.
func (n *Network) epilogue(l layers.Epilogue, in layers.Shape) *epilogue {
	e := &epilogue{Epilogue: l, in: in, out: in}
	if l.BatchNorm {
		e.gamma = n.parameter(l.Name+"/gamma", in.Channels)
		e.beta = n.parameter(l.Name+"/beta", in.Channels)
		e.movingMean = n.statistic(l.Name+"/moving_mean", in.Channels)
		e.movingVariance = n.statistic(l.Name+"/moving_variance", in.Channels)
	} else {
		e.beta = n.parameter(l.Name+"/bias", in.Channels)
	}
	if l.Pool {
		e.out.Height, e.out.Width = (in.Height+1)/2, (in.Width+1)/2
	}
	return e
}

func (e *epilogue) tensors() []*Tensor {
	if e.gamma == nil {
		return []*Tensor{e.beta}
	}
	return []*Tensor{e.gamma, e.beta}
}

// epilogueTrace is an epilogue of a pass, in two halves. The first is affine in
// each channel,
//
//	xhat = (y - mean) invStd, z = gamma xhat + beta
//
// with mean 0, invStd 1 and gamma 1 where there is but a bias. In training mean
// and invStd are the batch's and depend on y: the normalization is coupled. The
// second half is what the decisions of LeakyReLU, pooling and dropout make of z,
//
//	a[j] = factor[j] z[source[j]]
type epilogueTrace struct {
	*epilogue
	coupled bool
	xhat    []float64 // [rows, channels]
	invStd  []float64 // [channels]
	scale   []float64 // [channels], gamma
	source  []int     // of each output
	factor  []float64 // of each output
}

func (e *epilogue) forward(p *Pass, y []float64) (trace, []float64) {
	t := &epilogueTrace{epilogue: e, coupled: e.BatchNorm && p.batch.Training}
	z := t.normalize(p, y)
	a := t.activate(p, z)
	t.drop(p, a)
	return t, a
}

// perChannel returns a value for each channel.
func perChannel(channels int, value float64) []float64 {
	values := make([]float64, channels)
	for c := range values {
		values[c] = value
	}
	return values
}

// means returns the mean of each channel of a function of the element.
func (t *epilogueTrace) means(n int, value func(i int) float64) []float64 {
	channels := t.in.Channels
	mean := make([]float64, channels)
	for i := range n {
		mean[i%channels] += value(i) / float64(n/channels)
	}
	return mean
}

// normalize is the first half.
func (t *epilogueTrace) normalize(p *Pass, y []float64) []float64 {
	channels := t.in.Channels
	mean := perChannel(channels, 0)
	t.invStd, t.scale = perChannel(channels, 1), perChannel(channels, 1)
	if t.BatchNorm {
		var variance []float64
		t.scale = t.gamma.Value
		if t.coupled {
			mean = t.means(len(y), func(i int) float64 { return y[i] })
			variance = t.means(len(y), func(i int) float64 { d := y[i] - mean[i%channels]; return d * d })
			p.Normalizations[t.Name] = BatchStatistics{Mean: mean, Variance: variance, Rows: len(y) / channels}
		} else {
			mean, variance = t.movingMean.Value, t.movingVariance.Value
		}
		for c, v := range variance {
			t.invStd[c] = 1 / math.Sqrt(v+layers.BatchNormEpsilon)
		}
	}
	t.xhat = make([]float64, len(y))
	z := make([]float64, len(y))
	for i, v := range y {
		c := i % channels
		t.xhat[i] = (v - mean[c]) * t.invStd[c]
		z[i] = t.scale[c]*t.xhat[i] + t.beta.Value[c]
	}
	return z
}

// activate is LeakyReLU and pooling.
func (t *epilogueTrace) activate(p *Pass, z []float64) []float64 {
	slope := make([]float64, len(z))
	a := make([]float64, len(z))
	for i, v := range z {
		slope[i] = 1
		if t.Slope != 1 {
			positive := v > 0
			if !positive {
				slope[i] = float64(t.Slope)
			}
			p.decide(positive, math.Abs(v))
		}
		a[i] = slope[i] * v
	}
	if !t.Pool {
		t.factor = slope
		for i := range z {
			t.source = append(t.source, i)
		}
		return a
	}
	return t.pool(p, a, slope)
}

// pool takes the largest of each 2x2 window; a window over the end has fewer
// elements.
func (t *epilogueTrace) pool(p *Pass, a, slope []float64) []float64 {
	var pooled []float64
	channels := t.in.Channels
	for b := range len(a) / t.in.Elements() {
		for h := range t.out.Height {
			for w := range t.out.Width {
				for c := range channels {
					best, second, source, winner := math.Inf(-1), math.Inf(-1), 0, 0
					for k := range 4 {
						ih, iw := 2*h+k/2, 2*w+k%2
						if ih >= t.in.Height || iw >= t.in.Width {
							continue
						}
						i := ((b*t.in.Height+ih)*t.in.Width+iw)*channels + c
						if a[i] > best {
							best, second, source, winner = a[i], best, i, k
						} else {
							second = max(second, a[i])
						}
					}
					// Behind ReLU a window of zeros is a tie without a kink: no
					// gradient passes, whoever wins.
					margin := math.Inf(1)
					if best != 0 {
						margin = best - second
					}
					p.choose(winner, margin)
					pooled = append(pooled, best)
					t.source = append(t.source, source)
					t.factor = append(t.factor, slope[source])
				}
			}
		}
	}
	return pooled
}

// drop is dropout, in place.
func (t *epilogueTrace) drop(p *Pass, a []float64) {
	if t.Dropout == 0 || !p.batch.Training || p.batch.Masks == nil {
		return
	}
	mask := p.nextMask(len(a))
	for i := range a {
		keep := float64(mask[i]) / (1 - float64(t.Dropout))
		a[i] *= keep
		t.factor[i] *= keep
	}
}

// route is the second half of the derivative by z: it takes a gradient by the
// output, or its tangent, to the elements of z that the output comes from.
func (t *epilogueTrace) route(da []float64) []float64 {
	dz := make([]float64, len(t.xhat))
	for j, i := range t.source {
		dz[i] += t.factor[j] * da[j]
	}
	return dz
}

// project takes what a change of mean and deviation undoes out of a vector with
// the layout of y: its mean in each channel and its part along xhat. The
// derivative of xhat by y is invStd times that, and symmetric. along is the mean
// of v xhat that it took out.
func (t *epilogueTrace) project(v []float64) (projected, along []float64) {
	channels := t.in.Channels
	mean := t.means(len(v), func(i int) float64 { return v[i] })
	along = t.means(len(v), func(i int) float64 { return v[i] * t.xhat[i] })
	projected = make([]float64, len(v))
	for i := range v {
		c := i % channels
		projected[i] = v[i] - mean[c] - along[c]*t.xhat[i]
	}
	return projected, along
}

func (t *epilogueTrace) gradient(da, gradient []float64) {
	for i, dz := range t.route(da) {
		c := i % t.in.Channels
		t.beta.Of(gradient)[c] += dz
		if t.gamma != nil {
			t.gamma.Of(gradient)[c] += dz * t.xhat[i]
		}
	}
}

func (t *epilogueTrace) backward(da []float64) []float64 {
	channels := t.in.Channels
	dy := t.route(da)
	for i := range dy {
		dy[i] *= t.scale[i%channels]
	}
	if t.coupled {
		dy, _ = t.project(dy)
	}
	for i := range dy {
		dy[i] *= t.invStd[i%channels]
	}
	return dy
}

// tangentNormalized returns the derivatives of xhat and of the logarithm of
// invStd along a change ry of y, nil for none.
func (t *epilogueTrace) tangentNormalized(ry []float64) (rxhat, rlogInvStd []float64) {
	channels := t.in.Channels
	rxhat, rlogInvStd = make([]float64, len(t.xhat)), make([]float64, channels)
	if ry == nil {
		return rxhat, rlogInvStd
	}
	copy(rxhat, ry)
	if t.coupled {
		var along []float64
		rxhat, along = t.project(ry)
		for c, v := range along {
			rlogInvStd[c] = -v * t.invStd[c]
		}
	}
	for i := range rxhat {
		rxhat[i] *= t.invStd[i%channels]
	}
	return rxhat, rlogInvStd
}

// rscale returns the part of a direction that is gamma's.
func (t *epilogueTrace) rscale(z []float64) []float64 {
	if t.gamma == nil {
		return make([]float64, t.in.Channels)
	}
	return t.gamma.Of(z)
}

func (t *epilogueTrace) tangent(z, ry []float64) []float64 {
	rxhat, _ := t.tangentNormalized(ry)
	rscale, rbeta := t.rscale(z), t.beta.Of(z)
	ra := make([]float64, len(t.source))
	for j, i := range t.source {
		c := i % t.in.Channels
		ra[j] = t.factor[j] * (rscale[c]*t.xhat[i] + t.scale[c]*rxhat[i] + rbeta[c])
	}
	return ra
}

func (t *epilogueTrace) tangentGradient(_, ry, da, rda, rgradient []float64) {
	t.gradient(rda, rgradient)
	if t.gamma == nil {
		return
	}
	rxhat, _ := t.tangentNormalized(ry)
	for i, dz := range t.route(da) {
		t.gamma.Of(rgradient)[i%t.in.Channels] += dz * rxhat[i]
	}
}

// tangentBackward differentiates backward: with u = scale dz the gradient by
// xhat and v = u - mean(u) - xhat mean(u xhat) its projection, dy = invStd v.
func (t *epilogueTrace) tangentBackward(z, ry, da, rda []float64) []float64 {
	channels := t.in.Channels
	rxhat, rlogInvStd := t.tangentNormalized(ry)
	rscale := t.rscale(z)
	u, ru := t.route(da), t.route(rda)
	for i := range u {
		c := i % channels
		ru[i] = rscale[c]*u[i] + t.scale[c]*ru[i]
		u[i] *= t.scale[c]
	}
	v, rv := u, ru
	if t.coupled {
		var along []float64
		v, along = t.project(u)
		rv, _ = t.project(ru)
		turned := t.means(len(u), func(i int) float64 { return u[i] * rxhat[i] })
		for i := range rv {
			c := i % channels
			rv[i] -= rxhat[i]*along[c] + t.xhat[i]*turned[c]
		}
	}
	rdy := rv
	for i := range rdy {
		c := i % channels
		rdy[i] = t.invStd[c] * (rv[i] + rlogInvStd[c]*v[i])
	}
	return rdy
}

// centres says whether the batch's own statistics take the mean out of the input.
func (t *epilogueTrace) centres() bool { return t.coupled }

func (t *epilogueTrace) hesScale(da, diagonal []float64, _ bool) []float64 {
	channels := t.in.Channels
	rows := float64(len(t.xhat) / channels)
	d := make([]float64, len(t.xhat)) // by z
	for j, i := range t.source {
		d[i] += t.factor[j] * t.factor[j] * da[j]
	}
	moment := make([][3]float64, channels) // sums of D xhat^k
	for i, v := range d {
		m := &moment[i%channels]
		m[0] += v
		m[1] += v * t.xhat[i]
		m[2] += v * t.xhat[i] * t.xhat[i]
	}
	for c, m := range moment {
		t.beta.Of(diagonal)[c] += m[0]
		if t.gamma != nil {
			t.gamma.Of(diagonal)[c] += m[2]
		}
	}
	for i := range d {
		c := i % channels
		if x, m := t.xhat[i], moment[c]; t.coupled {
			d[i] = d[i]*(1-2*(1+x*x)/rows) + (m[0]+2*x*m[1]+x*x*m[2])/(rows*rows)
		}
		scale := t.scale[c] * t.invStd[c]
		d[i] *= scale * scale
	}
	return d
}
