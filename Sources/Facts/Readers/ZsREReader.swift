import Tensors
import WeightPatch

/// zsRE as MEND published it for editing (Mitchell et al. 2022, section 5.1): question answering, with a question of
/// Natural Questions whose answer should stay.
///
/// The new target is `alt`, the old one the first of `answers`. `loc` lacks its question mark, which is added; the
/// marker "nq question: ", with which it mostly begins, stays part of the prompt, as in the evaluation code of MEMIT
/// and EasyEdit.
enum ZsREReader: FactReader {
  static let name = "zsRE (src, alt, answers, rephrase, loc, loc_ans)"

  static func recognizes(_ fields: Set<ByteString>) -> Bool { fields.contains("src") }

  static func read(_ record: FactFields) throws -> [FactRecord] {
    let subject = try record.filledText("subject")
    let prompt = try record.template("src", subject: subject)
    let answers = try record.texts("answers")
    guard let answer = answers.first else { throw record.failure("answers", "holds no answer") }
    let fact = Manifest.Fact(
      subject: subject, prompt: prompt, targetNew: try record.filledText("alt"), targetTrue: answer)
    let question = try record.filledText("loc")
    return [
      FactRecord(
        fact: fact, paraphrasePrompts: [try record.filledText("rephrase")],
        neighborhoodPrompts: [
          .init(
            question.utf8.last == UInt8(ascii: "?") ? question : question + "?",
            answer: try record.filledText("loc_ans"))
        ])
    ]
  }
}
