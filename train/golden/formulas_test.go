package golden

import (
	"math"
	"slices"
)

// variable is a tensor in float64.
type variable struct {
	shape []int
	w, g  []float64
	slots map[string][]float64
	carry map[string]float64
}

func newVariable(x ReferenceTensor) *variable {
	return &variable{shape: x.Shape, w: widen(x.Initial), slots: map[string][]float64{}, carry: map[string]float64{}}
}

// slot returns a tensor that is kept from step to step, 0 at first.
func (x *variable) slot(name string) []float64 {
	if x.slots[name] == nil {
		x.slots[name] = make([]float64, len(x.w))
	}
	return x.slots[name]
}

// moments updates and returns the averages m of g and v of g^2.
func (x *variable) moments(beta1, beta2 float64) (m, v []float64) {
	m, v = x.slot("m"), x.slot("v")
	for i, g := range x.g {
		m[i] = beta1*m[i] + (1-beta1)*g
		v[i] = beta2*v[i] + (1-beta2)*g*g
	}
	return m, v
}

// step is a step of a run.
type step struct {
	n, of  int // its number, from 1, of how many
	factor float64
}

func (s step) power(base float64) float64 { return math.Pow(base, float64(s.n)) }

var formulas = map[string]func(x *variable, k settings, s step){
	"adamw_torch":  adamWTorch,
	"nadam_torch":  nadamTorch,
	"sgd":          sgd,
	"lion":         lion,
	"ademamix":     adEMAMix,
	"nadamw":       nadamW,
	"adopt":        adopt,
	"cautious":     cautious,
	"lamb":         lamb,
	"schedulefree": scheduleFree,
	"muon":         muon,
	"muon_torch":   muon,
}

func adamWTorch(x *variable, k settings, s step) {
	adamW(x, k, s, "", k.number("weight-decay"))
}

// adamW has keys with a prefix.
func adamW(x *variable, k settings, s step, prefix string, decay float64) {
	lr, beta1, beta2, eps := k.number(prefix+"lr")*s.factor, k.number(prefix+"beta1"), k.number(prefix+"beta2"), k.number(prefix+"eps")
	m, v := x.moments(beta1, beta2)
	c1, c2 := 1-s.power(beta1), 1-s.power(beta2)
	for i := range x.w {
		root := math.Sqrt(v[i]/c2) + eps
		if k.is("eps beside the uncorrected root") {
			root = (math.Sqrt(v[i]) + eps) / math.Sqrt(c2)
		}
		x.w[i] -= lr*decay*x.w[i] + lr*(m[i]/c1)/root
	}
}

func nadamTorch(x *variable, k settings, s step) {
	lr, beta1, beta2, eps, decay := k.number("lr")*s.factor, k.number("beta1"), k.number("beta2"), k.number("eps"), k.number("weight-decay")
	mu := func(n int) float64 {
		if k.is("look-ahead of a constant momentum") {
			return beta1
		}
		return beta1 * (1 - 0.5*math.Pow(0.96, float64(n)*k.number("psi")))
	}
	if s.n == 1 {
		x.carry["product"] = 1
	}
	x.carry["product"] *= mu(s.n)
	product, next := x.carry["product"], mu(s.n+1)
	m, v := x.moments(beta1, beta2)
	c2 := 1 - s.power(beta2)
	for i, g := range x.g {
		ahead := next*m[i]/(1-product*next) + (1-mu(s.n))*g/(1-product)
		x.w[i] -= lr*decay*x.w[i] + lr*ahead/(math.Sqrt(v[i]/c2)+eps)
	}
}

func sgd(x *variable, k settings, s step) {
	lr, momentum := k.number("lr")*s.factor, k.number("momentum")
	v := x.slot("v")
	for i, g := range x.g {
		v[i] = momentum*v[i] + g
		d := v[i]
		if k["nesterov"] == "true" && !k.is("no look-ahead") {
			d = g + momentum*v[i]
		}
		x.w[i] -= lr * d
	}
}

func lion(x *variable, k settings, s step) {
	lr, beta1, beta2, decay := k.number("lr")*s.factor, k.number("beta1"), k.number("beta2"), k.number("weight-decay")
	m := x.slot("m")
	for i, g := range x.g {
		c := beta1*m[i] + (1-beta1)*g
		m[i] = beta2*m[i] + (1-beta2)*g
		if k.is("sign of the momentum") {
			c = m[i]
		}
		sign := 0.0
		if c != 0 {
			sign = math.Copysign(1, c)
		}
		x.w[i] -= lr * (sign + decay*x.w[i])
	}
}

func adEMAMix(x *variable, k settings, s step) {
	lr, beta1, beta2, beta3, eps := k.number("lr")*s.factor, k.number("beta1"), k.number("beta2"), k.number("beta3"), k.number("eps")
	ramped := 1.0
	if ramp := k.number("ramp") * float64(s.of); ramp > 0 {
		ramped = min(1, float64(s.n)/ramp)
		if k.is("ramp from step 0") {
			ramped = min(1, float64(s.n-1)/ramp)
		}
	}
	alpha := ramped * k.number("alpha")
	// The half-life of the slow average grows linearly. The paper writes the same as
	// exp(ln beta1 ln beta3 / ((1 - ramped) ln beta3 + ramped ln beta1)).
	halfLife := (1-ramped)/math.Log(beta1) + ramped/math.Log(beta3)
	slowly := math.Exp(1 / halfLife)
	slow := x.slot("slow")
	m, v := x.moments(beta1, beta2)
	c1, c2 := 1-s.power(beta1), 1-s.power(beta2)
	for i, g := range x.g {
		slow[i] = slowly*slow[i] + (1-slowly)*g
		mixed := m[i]/c1 + alpha*slow[i]
		if k.is("slow momentum with a correction") {
			mixed = m[i]/c1 + alpha*slow[i]/(1-s.power(beta3))
		}
		x.w[i] -= lr * (mixed/(math.Sqrt(v[i]/c2)+eps) + k.number("weight-decay")*x.w[i])
	}
}

func nadamW(x *variable, k settings, s step) {
	lr, beta1, beta2, eps, decay := k.number("lr")*s.factor, k.number("beta1"), k.number("beta2"), k.number("eps"), k.number("weight-decay")
	m, v := x.moments(beta1, beta2)
	c1, c2 := 1-s.power(beta1), 1-s.power(beta2)
	for i, g := range x.g {
		ahead := (beta1*m[i] + (1-beta1)*g) / c1
		if k.is("corrections of the next step") {
			ahead = beta1*m[i]/(1-beta1*s.power(beta1)) + (1-beta1)*g/c1
		}
		x.w[i] -= lr*decay*x.w[i] + lr*ahead/(math.Sqrt(v[i]/c2)+eps)
	}
}

func adopt(x *variable, k settings, s step) {
	lr, beta1, beta2, eps, decay := k.number("lr")*s.factor, k.number("beta1"), k.number("beta2"), k.number("eps"), k.number("weight-decay")
	m, v := x.slot("m"), x.slot("v")
	bound := math.Pow(float64(s.n-1), 0.25)
	if k.is("bound of the next step") {
		bound = math.Pow(float64(s.n), 0.25)
	}
	for i, g := range x.g {
		if s.n == 1 {
			v[i] = g * g
			if k.is("decay in the first step") {
				x.w[i] -= lr * decay * x.w[i]
			}
			continue
		}
		normed := g / max(math.Sqrt(v[i]), eps)
		m[i] = beta1*m[i] + (1-beta1)*min(max(normed, -bound), bound)
		x.w[i] -= lr * (m[i] + decay*x.w[i])
		v[i] = beta2*v[i] + (1-beta2)*g*g
	}
}

func cautious(x *variable, k settings, s step) {
	lr, beta1, beta2, eps, decay := k.number("lr")*s.factor, k.number("beta1"), k.number("beta2"), k.number("eps"), k.number("weight-decay")
	m, v := x.moments(beta1, beta2)
	agree := func(i int) bool { return m[i]*x.g[i] > 0 }
	count := 0.0
	for i := range x.w {
		if agree(i) {
			count++
		}
	}
	share := max(count/float64(len(x.w)), 1e-3)
	if k.is("share with one more") {
		share = (count + 1) / float64(len(x.w))
	}
	c1, c2 := 1-s.power(beta1), 1-s.power(beta2)
	for i := range x.w {
		update := 0.0
		if agree(i) {
			update = math.Sqrt(c2) / c1 * m[i] / share / (math.Sqrt(v[i]) + eps)
			if k.is("eps beside the corrected root") {
				update = m[i] / c1 / share / (math.Sqrt(v[i]/c2) + eps)
			}
		}
		x.w[i] -= lr * (update + decay*x.w[i])
	}
}

func lamb(x *variable, k settings, s step) {
	lr, beta1, beta2, eps, decay := k.number("lr")*s.factor, k.number("beta1"), k.number("beta2"), k.number("eps"), k.number("weight-decay")
	m, v := x.moments(beta1, beta2)
	matrix := len(x.shape) > 1 || k["vectors"] == "true"
	c1, c2 := 1.0, 1.0
	if k["debias"] == "true" || k.is("with corrections") {
		c1, c2 = 1-s.power(beta1), 1-s.power(beta2)
	}
	u := make([]float64, len(x.w))
	var ww, uu float64
	for i, w := range x.w {
		u[i] = m[i] / c1 / (math.Sqrt(v[i]/c2) + eps)
		if matrix || k.is("decay of vectors") {
			u[i] += decay * w
		}
		ww, uu = ww+w*w, uu+u[i]*u[i]
	}
	ratio := 1.0
	if matrix && ww > 0 && uu > 0 {
		ratio = math.Sqrt(ww / uu)
	}
	for i := range x.w {
		x.w[i] -= ratio * lr * u[i]
	}
}

// scheduleFree has y in w. z and x, the average, follow from it: average returns x.
func scheduleFree(x *variable, k settings, s step) {
	lr, beta1, beta2, eps, decay := k.number("lr")*s.factor, k.number("beta1"), k.number("beta2"), k.number("eps"), k.number("weight-decay")
	z, v := x.slot("z"), x.slot("v")
	if s.n == 1 {
		copy(z, x.w)
	}
	x.carry["most"] = max(x.carry["most"], lr)
	weight := x.carry["most"] * x.carry["most"]
	if k.is("weights without the rate") {
		weight = 1
	}
	x.carry["total"] += weight
	share := weight / x.carry["total"]
	// The paper's x = (y - (1 - beta1) z) / beta1, z and y of the next step.
	averaged := average(x, k)
	for i, g := range x.g {
		v[i] = beta2*v[i] + (1-beta2)*g*g
		d := g / (math.Sqrt(v[i]/(1-s.power(beta2))) + eps)
		if k.is("decay of z at z") {
			d += decay * z[i]
		} else {
			d += decay * x.w[i]
		}
		z[i] -= lr * d
		averaged[i] += share * (z[i] - averaged[i])
		x.w[i] = (1-beta1)*z[i] + beta1*averaged[i]
	}
}

// average returns the weights that Schedule-Free evaluates.
func average(x *variable, k settings) []float64 {
	beta1, z, averaged := k.number("beta1"), x.slot("z"), make([]float64, len(x.w))
	for i, y := range x.w {
		averaged[i] = (y - (1-beta1)*z[i]) / beta1
	}
	return averaged
}

// muon is Muon for matrices and filters, and AdamW for vectors. A matrix is [in, out], the
// transpose of the author's, and a filter one of height * width * in rows, in another order
// than the author's: transposing a matrix, or changing the order of its rows, changes the
// orthogonal matrix as it changes the matrix.
func muon(x *variable, k settings, s step) {
	if len(x.shape) == 1 {
		adamW(x, k, s, "adamw-", k.number("weight-decay"))
		return
	}
	lr, momentum, decay := k.number("lr")*s.factor, k.number("momentum"), k.number("weight-decay")
	m, u := x.slot("m"), make([]float64, len(x.w))
	for i, g := range x.g {
		m[i] = momentum*m[i] + (1-momentum)*g
		u[i] = m[i]
		if k["nesterov"] == "true" && !k.is("no look-ahead") {
			u[i] = momentum*m[i] + (1-momentum)*g
		}
	}
	out := x.shape[len(x.shape)-1]
	in := len(x.w) / out
	arithmetic := unrounded
	switch {
	case k["newton-schulz"] == "float32" || k.is("float32"):
	case k.is("roundings of the author") || k["scale"] == "" && !k.is("roundings of torch"):
		arithmetic = authorsRounding
	default:
		arithmetic = torchRounding
	}
	o := newtonSchulz(u, in, out, arithmetic)
	wide := math.Sqrt(max(1, float64(out)/float64(in)))
	scale := wide
	if k["scale"] == "" && len(x.shape) == 4 {
		// The author's program takes the sides of the gradient, which is [out, in, height,
		// width] here: those of a filter.
		scale = math.Sqrt(max(1, float64(x.shape[0])/float64(x.shape[1])))
	}
	decayed := lr * decay
	switch {
	case k["scale"] == "match_rms_adamw":
		scale = 0.2 * math.Sqrt(float64(max(in, out)))
	case k.is("filters scaled as matrices"):
		scale = wide
	case k.is("no scale"):
		scale = 1
	case k.is("decay scaled"):
		decayed *= scale
	}
	for i := range x.w {
		update := o[i] * scale
		if k["scale"] == "" {
			update = arithmetic.round(update)
		}
		x.w[i] -= decayed*x.w[i] + lr*update
	}
}

// arithmetic is that of the Newton-Schulz iteration.
type arithmetic struct {
	round func(float64) float64
	// fused says that a product and the sum with it are rounded once.
	fused bool
}

var (
	unrounded       = arithmetic{round: func(v float64) float64 { return v }}
	authorsRounding = arithmetic{round: bfloat16}
	torchRounding   = arithmetic{round: bfloat16, fused: true}
)

// bfloat16 rounds to 8 bits, to nearest even, by way of float32.
func bfloat16(v float64) float64 {
	bits := math.Float32bits(float32(v))
	bits += 0x7fff + bits>>16&1
	return float64(math.Float32frombits(bits &^ 0xffff))
}

// newtonSchulz returns a matrix near U V^T, where X [rows, columns] is U S V^T. It divides X
// by its norm, and five times sets X = a X + (b A + c A A) X with A = X X^T. The shorter
// side is that of A.
func newtonSchulz(x []float64, rows, columns int, ar arithmetic) []float64 {
	const a, b, c = 3.4445, -4.7750, 2.0315
	if rows > columns {
		return transposed(newtonSchulz(transposed(x, rows, columns), columns, rows, ar), columns, rows)
	}
	x = slices.Clone(x)
	norm := 0.0
	for i := range x {
		x[i] = ar.round(x[i])
		norm += x[i] * x[i]
	}
	norm = ar.round(ar.round(math.Sqrt(norm)) + 1e-7)
	for i := range x {
		x[i] = ar.round(x[i] / norm)
	}
	for range 5 {
		gram := product(x, transposed(x, rows, columns), rows, columns, rows)
		for i := range gram {
			gram[i] = ar.round(gram[i])
		}
		x = ar.sum(a, x, 1, ar.sum(b, gram, c, gram, gram, rows, rows, rows), x, rows, rows, columns)
	}
	return x
}

// sum returns p X + (q Y) Z, with X [rows, columns], Y [rows, inner] and Z [inner, columns].
func (ar arithmetic) sum(p float64, x []float64, q float64, y, z []float64, rows, inner, columns int) []float64 {
	if ar.fused {
		sum := product(y, z, rows, inner, columns)
		for i := range sum {
			sum[i] = ar.round(p*x[i] + q*sum[i])
		}
		return sum
	}
	scaled := make([]float64, len(y))
	for i := range y {
		scaled[i] = ar.round(q * y[i])
	}
	sum := product(scaled, z, rows, inner, columns)
	for i := range sum {
		sum[i] = ar.round(ar.round(p*x[i]) + ar.round(sum[i]))
	}
	return sum
}

// transposed returns the transpose [columns, rows] of X [rows, columns].
func transposed(x []float64, rows, columns int) []float64 {
	y := make([]float64, len(x))
	for i := range rows {
		for j := range columns {
			y[j*rows+i] = x[i*columns+j]
		}
	}
	return y
}

// product returns X Y, with X [rows, inner] and Y [inner, columns].
func product(x, y []float64, rows, inner, columns int) []float64 {
	z := make([]float64, rows*columns)
	for i := range rows {
		row := z[i*columns:][:columns]
		for l, left := range x[i*inner:][:inner] {
			for j, right := range y[l*columns:][:columns] {
				row[j] += left * right
			}
		}
	}
	return z
}
