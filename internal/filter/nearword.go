package filter

// maxMistakes is how many letters of a word may be wrong, missing, too many or exchanged for another to be suggested.
const maxMistakes = 2

// nearest returns the word that was most likely meant, or "" if none is near. Words that are mostly mistakes are not.
func nearest(text string, words []string) string {
	best, least := "", maxMistakes+1
	for _, word := range words {
		if n := mistakes(text, word); n < least && n < len(word)/2+1 {
			best, least = word, n
		}
	}
	return best
}

// mistakes counts what separates two words: letters to replace, to add, to take away, and neighbors to exchange (the
// optimal string alignment distance).
func mistakes(a, b string) int {
	if len(a) > len(b)+maxMistakes || len(b) > len(a)+maxMistakes {
		return maxMistakes + 1
	}
	var before, row []int
	next := make([]int, len(b)+1)
	for j := range next {
		next[j] = j
	}
	for i := range len(a) {
		before, row, next = row, next, make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(row[j]+cost, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
	}
	return next[len(b)]
}
