package optim_test

import (
	"fmt"

	"diaghess/optim"
)

func ExampleParse() {
	rule, err := optim.Parse("adamw:lr=3e-4,weight-decay=0.0005,schedule=cosine")
	if err != nil {
		panic(err)
	}
	fmt.Println(optim.Spec(rule)) // 0.0005 is the default
	fmt.Println("beta2 is", optim.Settings(rule)["beta2"])

	_, err = optim.Parse("sgd:lr=-1")
	fmt.Println(err)
	// Output:
	// adamw:lr=0.0003,schedule=cosine
	// beta2 is 0.999
	// optimizer sgd: lr=-1: must be a number above 0 (in float32)
}

func ExampleSchedule_Rates() {
	s := optim.Schedule{LR: 0.8, Kind: "cosine", Warmup: 1}
	rates, err := s.Rates(optim.Length{Steps: 8, StepsPerEpoch: 4})
	if err != nil {
		panic(err)
	}
	fmt.Printf("%.2f\n", rates)
	// Output: [0.20 0.40 0.60 0.80 0.80 0.68 0.40 0.12]
}
