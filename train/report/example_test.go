package report_test

import (
	"fmt"

	"diaghess/train/report"
)

// The pilot's published results as a report; the means are those of its summary file. Both data sets are one family of tests.
func ExampleCompare() {
	var rows []report.Row
	for _, path := range []string{"pilot/cifar10_adam_optimizer_metrics.csv", "pilot/cifar100_adam_optimizer_metrics.csv"} {
		file, err := report.ReadCSVFile(path)
		if err != nil {
			panic(err)
		}
		rows = append(rows, file.Rows...)
	}
	analysis, err := report.Compare(rows, "Baseline")
	if err != nil {
		panic(err)
	}
	for _, line := range analysis.Headlines() {
		fmt.Println(line)
	}
	accuracy := analysis.Comparisons[0].Lines[report.ValAcc]
	fmt.Printf("%v: %.4f against %.4f\n", accuracy.Metric, accuracy.Rival.Mean, accuracy.Baseline.Mean)
	// Output:
	// cifar10, Custom against Baseline, 20 seeds: ▲ better in accuracy (+0.59 points, p = 0.005)
	// cifar100, Custom against Baseline, 20 seeds: ▲ better in accuracy (+0.63 points, p = 0.004)
	// val_acc: 0.8681 against 0.8622
}
