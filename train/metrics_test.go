package train

import (
	"math"
	"testing"
)

func TestMacroF1(t *testing.T) {
	for _, c := range []struct {
		name      string
		confusion []uint32 // [label, prediction]
		classes   int
		want      float64
	}{
		// The first is the example of scikit-learn's f1_score: y_true = 0 1 2 0 1
		// 2, y_pred = 0 2 1 0 0 1, average="macro" gives 0.26666666666666666.
		{"scikit-learn's example", []uint32{2, 0, 0, 1, 0, 1, 0, 2, 0}, 3, 0.26666666666666666},
		{"all right", []uint32{3, 0, 0, 5}, 2, 1},
		{"all wrong", []uint32{0, 3, 5, 0}, 2, 0},
		// Class 2 is neither a label nor a prediction, so scikit-learn leaves it
		// out: (2*1/(2+1) + 2*1/(2+1)) / 2.
		{"absent class", []uint32{1, 1, 0, 0, 1, 0, 0, 0, 0}, 3, 2.0 / 3},
		{"no pictures", []uint32{0, 0, 0, 0}, 2, 0},
	} {
		if got := macroF1(c.confusion, c.classes); math.Abs(got-c.want) > 1e-15 {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestScoreWeighsTheLastBatchByItsPictures(t *testing.T) {
	s := score([]float32{1, 4}, []uint32{3, 1}, []uint32{4, 1, 0, 0}, 2, 4, 5)
	if s.Loss != (1*4+4*1)/5.0 || s.Accuracy != 4/5.0 {
		t.Errorf("score %+v", s)
	}
}
