import Foundation

/// How varied a text is: generation entropy, which falls when a model repeats itself (Meng et al. 2022, section 3.3,
/// GE).
public enum NGramEntropy {
  /// The weights of the entropies of pairs and triples (kmeng01/rome, experiments/py/eval_utils_counterfact.py).
  private static let weights = [(length: 2, weight: 2.0 / 3), (length: 3, weight: 4.0 / 3)]

  /// The mean of 2/3 H_2 and 4/3 H_3, in bits, where H_n is the entropy of the distribution of the text's runs of n
  /// words (see `Words`); of a text with fewer than n words H_n is 0.
  public static func bits(_ text: String) -> Double {
    let words = Words.all(text)
    return weights.reduce(0) { $0 + $1.weight * entropy(words, length: $1.length) } / Double(weights.count)
  }

  private static func entropy(_ words: [String], length: Int) -> Double {
    guard words.count >= length else { return 0 }
    var counts: [ArraySlice<String>: Int] = [:]
    for start in 0...words.count - length { counts[words[start..<start + length], default: 0] += 1 }
    let total = Double(words.count - length + 1)
    // Sorted, so that the rounding of the sum does not depend on the order of a dictionary.
    return counts.values.sorted().reduce(0) { $0 - Double($1) / total * log2(Double($1) / total) }
  }
}
