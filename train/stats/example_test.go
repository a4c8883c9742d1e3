package stats_test

import (
	"fmt"

	"diaghess/train/stats"
)

// Student's data of 1908: hours of additional sleep of ten patients with two drugs. R's
// t.test(extra ~ group, data = sleep, paired = TRUE) prints t = -4.0621, p-value = 0.002833
// and the interval -2.4598858 -0.7001142.
func ExamplePairedT() {
	x := []float64{0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0}
	y := []float64{1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4}
	test, err := stats.PairedT(x, y)
	if err != nil {
		panic(err)
	}
	interval := test.Interval(0.95)
	fmt.Printf("t = %.4f, p = %.6f, mean difference %.2f, %.7f to %.7f\n", test.T, test.P, test.MeanDifference, interval.Low, interval.High)
	// Output: t = -4.0621, p = 0.002833, mean difference -1.58, -2.4598858 to -0.7001142
}

func ExampleHolm() {
	adjusted, err := stats.Holm([]float64{0.04, 0.01, 0.03})
	if err != nil {
		panic(err)
	}
	fmt.Printf("%.2f\n", adjusted)
	// Output: [0.06 0.03 0.06]
}
