"""What customers are told about their payments in, sentence by sentence."""

from __future__ import annotations

NEXT_STEP = {
    "created": "We have not opened the payment page yet. Nothing was charged. Try again.",
    "pending": "Finish on the payment page. The money shows within seconds of the payment.",
    "under way": "Your payment is on its way to us. With some banks that takes days; you need not do anything.",
    "paid": "The money is in your wallet. You can use it now.",
    "failed": "Nothing was charged. You can start again with another card.",
    "expired": "The payment page was open for too long. Nothing was charged. Start again when you like.",
    "locked": "Your payment is looked at by hand. We tell you as soon as it is decided.",
    "returned": "The payment was given back to where it came from. Nothing is in your wallet.",
}
CRYPTO_NEXT_STEP = {
    "pending": "Send the amount to the address on the payment page. It counts once the network has confirmed it.",
    "failed": "The payment failed and nothing has arrived. You can start again.",
    "expired": "The payment page has closed. If you have sent money all the same, it is credited when it arrives.",
}
PAYING = (
    "You have paid; we wait for the confirmation. It usually takes seconds. You need not do anything, "
    "and may close this page."
)
SEND_THE_REST = (
    "Send the rest to the same address before the page closes; otherwise what has arrived is put into your "
    "wallet."
)
DEBT_WORDS = (
    "A debt comes about when money goes back that was not in your wallet any more. Nothing is taken out of your "
    "wallet for it without a word: we write to you about how to settle it."
)
PARTLY_BACK = (
    "A part of the payment goes back, or has gone back, to where it came from. The rest is in your wallet."
)
ROLLED_BACK = "We have taken this payment out of your wallet again."
REFUND_WORDS = {
    "asked": "On its way back",
    "pending": "On its way back",
    "succeeded": "Given back",
    "failed": "Could not be given back, so it is in your wallet again",
}
DISPUTE_WORDS = {
    "inquiry": "Your bank asks about this payment. Nothing has changed so far.",
    "open": "Your bank has taken this payment back. We hold the amount until it is decided.",
    "won": "Your bank has decided that the payment stands. What we held is yours again.",
    "dropped": "Your bank has dropped its question. What we held is yours again.",
    "lost": "Your bank has taken this payment back for good.",
}
