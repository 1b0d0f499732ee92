import Tensors
import WeightPatch

/// EasyEdit's JSON (https://github.com/zjunlp/EasyEdit): `prompt` with the subject in it, `subject`, `target_new`; in
/// its older data `ground_truth`, `rephrase_prompt`, `locality_prompt` and `locality_ground_truth`, in KnowEdit
/// `rephrase` and `locality`, groups of prompts with answers.
enum EasyEditReader: FactReader {
  static let name = "EasyEdit (prompt, subject, target_new)"

  static func recognizes(_ fields: Set<ByteString>) -> Bool { fields.contains("target_new") }

  static func read(_ record: FactFields) throws -> [FactRecord] {
    let subject = try record.filledText("subject")
    let fact = Manifest.Fact(
      subject: subject, prompt: try record.template("prompt", subject: subject),
      targetNew: try record.filledText("target_new"), targetTrue: try answers("ground_truth", in: record).first,
      relation: try record.optionalText("relation_id"), source: try record.optionalText("source"))
    return [
      FactRecord(
        fact: fact, paraphrasePrompts: try record.textOrTexts("rephrase_prompt") + record.textOrTexts("rephrase"),
        neighborhoodPrompts: try locality(record))
    ]
  }

  private static func locality(_ record: FactFields) throws -> [FactRecord.NeighborhoodPrompt] {
    let prompts = try record.textOrTexts("locality_prompt")
    let truths = try answers("locality_ground_truth", in: record)
    guard prompts.count == truths.count else {
      throw record.failure(
        "locality_ground_truth", "must have an answer for each locality_prompt: \(truths.count) for \(prompts.count)")
    }
    var neighborhood = zip(prompts, truths).map { FactRecord.NeighborhoodPrompt($0, answer: $1) }
    guard let groups = try record.optionalObject("locality") else { return neighborhood }
    for name in try groups.names().sorted().map(\.description) {
      guard let group = try groups.optional(name) else { continue }
      for element in group.arrayValue ?? [group] {
        let fields = record.fields(element, path: "locality.\(name).")
        guard element.objectValue != nil else {
          throw groups.failure(name, "must hold objects, found \(element.kind)")
        }
        // Without an answer to hold on to, a prompt says nothing.
        guard let answer = try answers("ground_truth", in: fields).first else { continue }
        neighborhood.append(.init(try fields.filledText("prompt"), answer: answer))
      }
    }
    return neighborhood
  }

  /// A string, an array of strings, or an array of arrays of equivalent strings, of which the first counts.
  /// "<|endoftext|>" stands for no answer.
  private static func answers(_ field: String, in record: FactFields) throws -> [String] {
    guard let found = try record.optional(field) else { return [] }
    return try (found.arrayValue ?? [found]).compactMap { element in
      let answer = element.arrayValue?.first ?? element
      if element.arrayValue?.isEmpty == true { return nil }
      let text = try record.text(
        answer, field, "must be a string or an array of strings, found \(answer.kind)")
      return text.isEmpty || text == "<|endoftext|>" ? nil : text
    }
  }
}
