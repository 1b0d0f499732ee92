import Tensors
import WeightPatch

/// CounterFact (Meng et al. 2022, section 3.3) and multi-CounterFact (Meng et al. 2023), which has the same fields; and
/// MQuAKE (Zhong et al. 2023), where `requested_rewrite` is an array: each of a record's rewrites is a fact, its
/// `question` a paraphrase.
enum CounterFactReader: FactReader {
  static let name = "CounterFact (requested_rewrite)"

  static func recognizes(_ fields: Set<ByteString>) -> Bool { fields.contains("requested_rewrite") }

  static func read(_ record: FactFields) throws -> [FactRecord] {
    guard let rewrites = try record.optional("requested_rewrite")?.arrayValue else {
      return [try fact(try record.object("requested_rewrite"), in: record)]
    }
    guard !rewrites.isEmpty else { throw record.failure("requested_rewrite", "holds no rewrite") }
    return try rewrites.enumerated().map { index, rewrite in
      guard rewrite.objectValue != nil else {
        throw record.failure("requested_rewrite", "must hold objects, found \(rewrite.kind) in it")
      }
      return try fact(record.fields(rewrite, path: "requested_rewrite[\(index)]."), in: record)
    }
  }

  private static func fact(_ rewrite: FactFields, in record: FactFields) throws -> FactRecord {
    let prompt = try rewrite.template("prompt")
    let subject = try rewrite.filledText("subject")
    let targetNew = try rewrite.object("target_new")
    let fact = Manifest.Fact(
      subject: subject, prompt: prompt, targetNew: try targetNew.filledText("str"),
      targetTrue: try rewrite.optionalObject("target_true")?.text("str"),
      relation: try rewrite.optionalText("relation_id"), source: try record.optionalText("source"))
    return FactRecord(
      fact: fact, paraphrasePrompts: try record.texts("paraphrase_prompts") + rewrite.textOrTexts("question"),
      neighborhoodPrompts: try record.texts("neighborhood_prompts").map { FactRecord.NeighborhoodPrompt($0) },
      generationPrompts: try record.texts("generation_prompts"), targetIdentifier: try targetNew.optionalText("id"))
  }
}
