import WeightPatch

/// CounterFact (Meng et al. 2022, section 3.3) and multi-CounterFact (Meng et al. 2023), which has the same fields.
enum CounterFactReader: FactReader {
  static let name = "CounterFact (requested_rewrite)"

  static func recognizes(_ fields: Set<String>) -> Bool { fields.contains("requested_rewrite") }

  static func read(_ record: FactFields) throws -> FactRecord {
    let rewrite = try record.object("requested_rewrite")
    let prompt = try rewrite.template("prompt")
    let subject = try rewrite.filledText("subject")
    let targetNew = try rewrite.object("target_new")
    let fact = Manifest.Fact(
      subject: subject, prompt: prompt, targetNew: try targetNew.filledText("str"),
      targetTrue: try rewrite.optionalObject("target_true")?.text("str"),
      relation: try rewrite.optionalText("relation_id"), source: try record.optionalText("source"))
    return FactRecord(
      fact: fact, paraphrasePrompts: try record.texts("paraphrase_prompts"),
      neighborhoodPrompts: try record.texts("neighborhood_prompts").map { FactRecord.NeighborhoodPrompt($0) },
      generationPrompts: try record.texts("generation_prompts"), targetIdentifier: try targetNew.optionalText("id"))
  }
}
