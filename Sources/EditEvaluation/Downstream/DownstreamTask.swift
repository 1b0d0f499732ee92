import Facts
import Foundation
import Tensors

/// The tasks of GLUE (Wang et al. 2018) on which Gupta et al. (2024) measure what editing does to a model, as prompts
/// with two answers.
///
/// The prompts are those of scalable-model-editing/unified-model-editing (`glue_eval`) with these differences: the
/// space after "Review :" that its examples have also stands before the sentence in question; "Answer:" of CoLA has no
/// second space before the answer; and RTE's answers say what GLUE's labels mean (0 is entailment, "True"), where
/// `rte_eval.py` says "False" for it, so that a better model scored lower.
public enum DownstreamTask: String, Sendable, CaseIterable {
  case sst2, mrpc, cola, rte, nli

  /// The answers, the one to the label "positive" (paraphrase, acceptable, entailment) first.
  public var answers: (positive: String, negative: String) {
    switch self {
    case .sst2: ("positive", "negative")
    case .mrpc, .cola: ("Yes", "No")
    case .rte, .nli: ("True", "False")
    }
  }

  /// What comes before the answer, which follows after a space.
  func prompt(_ record: FactFields) throws -> String {
    switch self {
    case .sst2:
      "Review : \(try record.filledText("sentence"))\nSentiment :"
    case .mrpc:
      "Are the sentences paraphrases of each other.\nSentence 1: \(try record.filledText("sentence1"))\n"
        + "Sentence 2: \(try record.filledText("sentence2"))\nAnswer:"
    case .cola:
      "Is this sentence linguistically acceptable?\nSentence: \(try record.filledText("sentence"))\nAnswer:"
    case .rte:
      "\(try record.filledText("sentence1"))\nquestion: \(try record.filledText("sentence2")) True or False?\nanswer:"
    case .nli:
      "\(try record.filledText("sentence1")) entails the \(try record.filledText("sentence2")) True or False? answer:"
    }
  }

  /// Whether the record's label is the one of the first answer: 1, for RTE and NLI "entailment", which GLUE's RTE
  /// writes as 0.
  func isPositive(_ record: FactFields) throws -> Bool {
    guard let label = try record.optional("label") else { throw record.failure("label", "is missing") }
    let isEntailmentTask = self == .rte || self == .nli
    switch (label.integerValue, label.stringValue) {
    case (0?, _): return isEntailmentTask
    case (1?, _): return !isEntailmentTask
    case (_, "entailment"?) where isEntailmentTask: return true
    case (_, "not_entailment"?) where isEntailmentTask: return false
    default:
      throw record.failure(
        "label", isEntailmentTask ? "must be 0, 1, \"entailment\" or \"not_entailment\"" : "must be 0 or 1")
    }
  }
}
