package train

// Score is what a pass over a set of pictures measures.
type Score struct {
	Loss     float64 // mean cross-entropy; in training with the run's label smoothing
	Accuracy float64 // share of pictures whose largest logit is the label's
	F1       float64 // macro F1
	// OtherLoss is Loss with the label smoothing where Loss is without, and the other way round; nil
	// in a run without smoothing.
	OtherLoss *float64
}

// finite says whether the losses are.
func (s Score) finite() bool { return finite(s.Loss) && (s.OtherLoss == nil || finite(*s.OtherLoss)) }

// meanLoss is the mean over pictures of losses that are means over batches of batchSize of them, the
// last of what is left.
func meanLoss(losses []float32, batchSize, pictures int) (mean float64) {
	for i, loss := range losses {
		mean += float64(loss) * float64(min(batchSize, pictures-i*batchSize))
	}
	return mean / float64(pictures)
}

// score sums up a pass: losses are means over batches of batchSize pictures
// (the last of what is left), correct the hits of each, confusion [classes,
// classes] counts (label, prediction).
func score(losses []float32, correct []uint32, confusion []uint32, classes, batchSize, pictures int) Score {
	s := Score{Loss: meanLoss(losses, batchSize, pictures)}
	for _, n := range correct {
		s.Accuracy += float64(n)
	}
	s.Accuracy /= float64(pictures)
	s.F1 = macroF1(confusion, classes)
	return s
}

// macroF1 is scikit-learn's f1_score(average="macro"): the unweighted mean of
// 2 TP / (2 TP + FP + FN) over the classes that are a label or a prediction of
// at least one picture.
func macroF1(confusion []uint32, classes int) float64 {
	var sum float64
	var present int
	for c := range classes {
		var labels, predictions float64
		for other := range classes {
			labels += float64(confusion[c*classes+other])
			predictions += float64(confusion[other*classes+c])
		}
		if labels+predictions == 0 {
			continue
		}
		present++
		sum += 2 * float64(confusion[c*classes+c]) / (labels + predictions)
	}
	return sum / float64(max(present, 1))
}
