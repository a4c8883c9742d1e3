package exact

// HesScale returns an approximation of the diagonal of the Gauss-Newton matrix, with the
// layout of Network.Values, by one backward sweep of squares. It is HesScale (Elsayed and
// Mahmood 2022, "HesScale: Scalable Computation of Hessian Diagonals") in Gauss-Newton
// form. It keeps the diagonal D of the curvature by each layer's output and drops the rest.
// At the logits D = p (1 - p) / rows; then downwards:
//
//	linear       h = sum of squared inputs times D, D = squared weights times D
//	activations  D = factor^2 D, at the element of z that the output comes from
//	beta, gamma  h = sum D, sum D xhat^2 over the rows
//	bias         h = sum D
//
// Normalization with the batch's own statistics has N rows, scale = gamma invStd and the
// normalized values xhat:
//
//	D[n] = scale^2 sum over m of D[m] (1[n=m] - 1/N - xhat[n] xhat[m]/N)^2
//	     = scale^2 (D[n] (1 - 2 (1 + xhat[n]^2)/N) + (S0 + 2 xhat[n] S1 + xhat[n]^2 S2)/N^2)
//
// with Sk = sum over m of D[m] xhat[m]^k.
//
// A layer before such a normalization uses its inputs minus their mean in each channel.
// The reason: the normalization removes what a weight adds to all rows alike, and the
// diagonal of D does not contain that. Most inputs have a mean that is large against their
// deviation, so this determines the scale of the result.
//
// The result is exact for the last linear layer and its bias. For the others it drops
// correlations between the outputs of a sample and between positions of a picture. It also
// drops the rest of the correlations that normalization makes between rows.
func (p *Pass) HesScale() []float64 {
	d := make([]float64, len(p.Logits))
	for i, q := range p.probability {
		d[i] = q * (1 - q) / float64(p.rows())
	}
	diagonal := make([]float64, len(p.network.Values))
	centred := false
	for i := len(p.traces) - 1; i >= 0; i-- {
		d = p.traces[i].hesScale(d, diagonal, centred)
		centred = p.traces[i].centres()
	}
	return diagonal
}

func squared(values []float64) []float64 {
	squares := make([]float64, len(values))
	for i, v := range values {
		squares[i] = v * v
	}
	return squares
}

// withoutMeans returns the values less the mean of their channel.
func withoutMeans(values []float64, channels int) []float64 {
	mean := make([]float64, channels)
	for i, v := range values {
		mean[i%channels] += v / float64(len(values)/channels)
	}
	less := make([]float64, len(values))
	for i, v := range values {
		less[i] = v - mean[i%channels]
	}
	return less
}
