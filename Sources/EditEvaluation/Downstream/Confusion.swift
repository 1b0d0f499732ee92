import Foundation

/// How often each label was answered in which way: `counts[label][answer]`.
///
/// Figures are scikit-learn's: F1 is `f1_score(average="weighted")`, MCC `matthews_corrcoef`, which also holds for an
/// answer that is no label (Gorodkin 2004).
public struct Confusion: Sendable, Equatable {
  /// Labels and answers have the same numbers, from 0.
  private var counts: [[Int]]

  public init(classCount: Int) {
    counts = Array(repeating: Array(repeating: 0, count: classCount), count: classCount)
  }

  public mutating func count(label: Int, answer: Int) { counts[label][answer] += 1 }

  public var total: Int { counts.joined().reduce(0, +) }
  private func labelCount(_ label: Int) -> Double { Double(counts[label].reduce(0, +)) }
  private func answerCount(_ answer: Int) -> Double { Double(counts.reduce(0) { $0 + $1[answer] }) }

  public var accuracy: Double {
    Double(counts.indices.reduce(0) { $0 + counts[$1][$1] }) / Double(total)
  }

  /// The mean over labels of the harmonic mean of precision and recall, weighted by how often the label occurs.
  public var weightedF1: Double {
    counts.indices.reduce(0) { sum, label in
      let both = labelCount(label) + answerCount(label)
      return both == 0 ? sum : sum + labelCount(label) * 2 * Double(counts[label][label]) / both
    } / Double(total)
  }

  /// Matthews correlation coefficient; 0 if all labels or all answers are the same.
  public var correlation: Double {
    let all = Double(total)
    let correct = counts.indices.reduce(0.0) { $0 + Double(counts[$1][$1]) }
    let products = counts.indices.reduce(0.0) { $0 + labelCount($1) * answerCount($1) }
    let labels = all * all - counts.indices.reduce(0.0) { $0 + labelCount($1) * labelCount($1) }
    let answers = all * all - counts.indices.reduce(0.0) { $0 + answerCount($1) * answerCount($1) }
    return labels * answers == 0 ? 0 : (correct * all - products) / (labels * answers).squareRoot()
  }

  /// The metric of a figure, in percent, with the jackknife's standard error (Efron and Stein 1981).
  public func metric(_ name: String, _ figure: (Confusion) -> Double) -> Metric {
    let count = Double(total)
    // The figure without one of the questions; those with the same label and answer give the same.
    var without: [(figure: Double, count: Double)] = []
    for label in counts.indices {
      for answer in counts.indices where counts[label][answer] > 0 && total > 1 {
        var other = self
        other.counts[label][answer] -= 1
        without.append((figure(other), Double(counts[label][answer])))
      }
    }
    let mean = without.reduce(0) { $0 + $1.figure * $1.count } / count
    let squares = without.reduce(0) { $0 + $1.count * ($1.figure - mean) * ($1.figure - mean) }
    return Metric(
      name, 100 * figure(self), standardError: total > 1 ? 100 * ((count - 1) / count * squares).squareRoot() : nil,
      count: total)
  }
}
