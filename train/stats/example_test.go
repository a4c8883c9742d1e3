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

// Two rivals on one data set, ten seeds. Their accuracy is compared with the baseline's.
func ExampleFamily_Test() {
	seeds := []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	baseline := []float64{0.71, 0.69, 0.72, 0.70, 0.68, 0.73, 0.70, 0.71, 0.69, 0.72}
	family := stats.Family{
		Direction: stats.HigherIsBetter,
		Cells: []stats.Cell{
			{Units: seeds, Baseline: baseline, Rival: []float64{0.74, 0.71, 0.74, 0.74, 0.71, 0.75, 0.71, 0.75, 0.72, 0.73}},
			{Units: seeds, Baseline: baseline, Rival: []float64{0.72, 0.67, 0.73, 0.71, 0.69, 0.71, 0.71, 0.70, 0.70, 0.73}},
		},
	}
	result, err := family.Test()
	if err != nil {
		panic(err)
	}
	for _, c := range result.Cells {
		fmt.Printf("%+.4f, %+.4f to %+.4f, p = %.4f: %v\n", c.MeanDifference, c.Interval.Low, c.Interval.High, c.P, c.Decision)
	}
	// Output:
	// +0.0250, +0.0158 to +0.0342, p = 0.0039: better
	// +0.0020, -0.0092 to +0.0132, p = 0.8086: not shown
}

// Looks at 10, 15 and 20 seeds: a cell is decided where its p is at most the level.
func ExamplePlanLooks() {
	looks, err := stats.PlanLooks([]int{10, 15, 20}, 0.05)
	if err != nil {
		panic(err)
	}
	for _, look := range looks {
		fmt.Printf("%d seeds: %.4f\n", look.Units, look.Level)
	}
	// Output:
	// 10 seeds: 0.0031
	// 15 seeds: 0.0183
	// 20 seeds: 0.0440
}
