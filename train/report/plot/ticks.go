package plot

import (
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
)

// roundTicks marks multiples of 1, 2 or 5 times a power of ten, zero among them
// where it is in the range.
type roundTicks struct{}

// roundStep returns the distance of the ticks of a range: at most six of them.
func roundStep(low, high float64) float64 {
	const most = 6
	step := math.Pow(10, math.Floor(math.Log10((high-low)/most)))
	for _, factor := range []float64{1, 2, 5} {
		if (high-low)/(factor*step) <= most {
			return factor * step
		}
	}
	return 10 * step
}

func (roundTicks) Ticks(low, high float64) []plot.Tick {
	step := roundStep(low, high)
	format, digits := byte('f'), max(0, -int(math.Floor(math.Log10(step)+1e-9)))
	if digits > 6 || step >= 1e6 {
		format, digits = 'g', 3
	}
	var ticks []plot.Tick
	for i := math.Ceil(low/step - 1e-9); i <= math.Floor(high/step+1e-9); i++ {
		label := strconv.FormatFloat(math.Abs(i)*step, format, digits, 64)
		if i < 0 {
			label = "−" + label
		}
		ticks = append(ticks, plot.Tick{Value: i * step, Label: label})
	}
	return ticks
}

// ratioTicks marks ratios on a logarithmic axis.
type ratioTicks struct{}

func (ratioTicks) Ticks(low, high float64) []plot.Tick {
	steps := []float64{1, 1.2, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128}
	var ticks []plot.Tick
	for _, v := range steps {
		if v >= low && v <= high {
			ticks = append(ticks, plot.Tick{Value: v, Label: strconv.FormatFloat(v, 'g', -1, 64)})
		}
	}
	return ticks
}

// decadeTicks marks powers of ten on an axis of their exponents, at most eight of them.
type decadeTicks struct{}

func (decadeTicks) Ticks(low, high float64) []plot.Tick {
	const most = 8
	first, last := int(math.Ceil(low)), int(math.Floor(high))
	every := (last - first + most) / most
	var ticks []plot.Tick
	for i := first; i <= last; i += every {
		ticks = append(ticks, plot.Tick{Value: float64(i), Label: "1e" + strings.Replace(strconv.Itoa(i), "-", "−", 1)})
	}
	return ticks
}
