package replay

import "github.com/tcptrail/tcptrail/internal/archive"

// Pick returns the streams without the files that are known to have nothing that is asked for: those with a summary of
// which wanted says no. For that alone it opens each file that has a summary.
func Pick(streams []Stream, wanted func(*archive.Summary) bool) (picked []Stream) {
	for _, s := range streams {
		var left Stream
		for _, segment := range s {
			if segment.Summary != nil {
				if sum := segment.Summary(); sum != nil && !wanted(sum) {
					continue
				}
			}
			left = append(left, segment)
		}
		if len(left) > 0 {
			picked = append(picked, left)
		}
	}
	return picked
}
