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

// RoundTicks returns the values of the ticks of a range.
func RoundTicks(low, high float64) []float64 {
	var values []float64
	for _, t := range (roundTicks{}).Ticks(low, high) {
		values = append(values, t.Value)
	}
	return values
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
