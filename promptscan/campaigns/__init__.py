"""campaigns: who acts together (families joined by shared, surprising accounts and entities), and how sure that is."""

from promptscan.campaigns.find import Campaigns, find_campaigns
from promptscan.campaigns.naming import CampaignNames, name_campaigns, still_merged
from promptscan.campaigns.parts import join_silent
from promptscan.campaigns.tables import Verdict, campaign_tables, with_verdicts
from promptscan.campaigns.traffic import Traffic

__all__ = [
    "CampaignNames",
    "Campaigns",
    "Traffic",
    "Verdict",
    "campaign_tables",
    "find_campaigns",
    "join_silent",
    "name_campaigns",
    "still_merged",
    "with_verdicts",
]
