"""Questions that customers are asked, NPS and CSAT: sent as far as the contact rules allow, answered once."""
