/// norm(found - expected) / norm(expected), in binary64.
public func relativeError(_ found: [Double], _ expected: [Double]) -> Double {
  precondition(found.count == expected.count)
  var (difference, norm) = (0.0, 0.0)
  for (a, b) in zip(found, expected) {
    difference += (a - b) * (a - b)
    norm += b * b
  }
  if difference == 0 { return 0 }
  return (difference / norm).squareRoot()
}
