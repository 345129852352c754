"""The usual words of messages and pages, by language. A survey may say each of them otherwise."""

from crm_analytics.models import SurveyKind

Words = dict[str, str]

WORDS: dict[str, Words] = {
    "en": {
        "NPS_low": "not at all likely",
        "NPS_high": "extremely likely",
        "CSAT_low": "very dissatisfied",
        "CSAT_high": "very satisfied",
        "invitation": "Your answer takes a minute:",
        "comment": "Would you like to say why?",
        "send": "Send",
        "choose": "Please choose one of the numbers.",
        "too_long": "Please shorten what you wrote.",
        "thanks": "Thank you for your answer.",
        "answered": "You have answered this question already. Your first answer counts.",
        "ended": "This question can no longer be answered.",
        "unknown": "This link is not valid. Please open it as it stands in the message.",
    },
    "de": {
        "NPS_low": "sehr unwahrscheinlich",
        "NPS_high": "sehr wahrscheinlich",
        "CSAT_low": "sehr unzufrieden",
        "CSAT_high": "sehr zufrieden",
        "invitation": "Ihre Antwort dauert eine Minute:",
        "comment": "Möchten Sie uns sagen, warum?",
        "send": "Absenden",
        "choose": "Bitte wählen Sie eine der Zahlen.",
        "too_long": "Bitte kürzen Sie Ihren Text.",
        "thanks": "Vielen Dank für Ihre Antwort.",
        "answered": "Sie haben diese Frage schon beantwortet. Ihre erste Antwort zählt.",
        "ended": "Diese Frage kann nicht mehr beantwortet werden.",
        "unknown": "Dieser Link ist nicht gültig. Bitte öffnen Sie ihn so, wie er in der Nachricht steht.",
    },
    "fr": {
        "NPS_low": "pas du tout probable",
        "NPS_high": "très probable",
        "CSAT_low": "très insatisfait",
        "CSAT_high": "très satisfait",
        "invitation": "Votre réponse prend une minute :",
        "comment": "Souhaitez-vous nous dire pourquoi ?",
        "send": "Envoyer",
        "choose": "Veuillez choisir un des nombres.",
        "too_long": "Veuillez raccourcir votre texte.",
        "thanks": "Merci de votre réponse.",
        "answered": "Vous avez déjà répondu à cette question. C’est la première réponse qui compte.",
        "ended": "Il n’est plus possible de répondre à cette question.",
        "unknown": "Ce lien n’est pas valable. Veuillez l’ouvrir tel qu’il figure dans le message.",
    },
    "es": {
        "NPS_low": "nada probable",
        "NPS_high": "muy probable",
        "CSAT_low": "muy insatisfecho",
        "CSAT_high": "muy satisfecho",
        "invitation": "Responder le llevará un minuto:",
        "comment": "¿Quiere decirnos por qué?",
        "send": "Enviar",
        "choose": "Elija uno de los números.",
        "too_long": "Acorte el texto, por favor.",
        "thanks": "Gracias por su respuesta.",
        "answered": "Ya ha respondido a esta pregunta. Cuenta la primera respuesta.",
        "ended": "Ya no se puede responder a esta pregunta.",
        "unknown": "Este enlace no es válido. Ábralo tal como figura en el mensaje.",
    },
}
TEXTS = (
    *("subject", "introduction", "invitation", "low", "high"),
    *("comment", "send", "choose", "thanks", "answered", "ended"),
)
"""What a survey may say otherwise. `low` and `high` are what the ends of the scale mean."""


def words(language: str, kind: SurveyKind, texts: Words) -> Words:
    """All words of a survey: its own, and the usual ones of the language for the rest."""
    usual = WORDS[language]
    ends = {"low": usual[f"{kind.value}_low"], "high": usual[f"{kind.value}_high"]}
    return {**usual, **ends, **texts}
